"""Where windows lie: exact where the network allows it, blended elsewhere; and what either costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import Field

from maskwright.errors import SettingError
from maskwright.records import Record


class Reach(Protocol):
    """What tiling must know of a network; `model.sizes.Geometry` is one."""

    @property
    def stride(self) -> int:
        """Windows that start at multiples of it see the same grid as the whole image."""

    @property
    def before(self) -> int:
        """Input pixels a window needs beyond its own on the low side."""

    @property
    def after(self) -> int:
        """Input pixels a window needs beyond its own on the high side."""

    @property
    def margin(self) -> int:
        """Input pixels a valid network loses on each side; 0 for a same-padded one."""

    @property
    def is_local(self) -> bool:
        """Whether nothing further away matters."""


class Tiles(Record):
    """How an image larger than one window is cut."""

    window: tuple[int, int] = (512, 512)
    """Height and width of the largest input that goes through the network at once."""
    mode: Literal["auto", "exact", "blend"] = "auto"
    """exact: windows with a halo as wide as the field of view, the same logits as the whole image. blend: windows
    overlap and are averaged under a Gaussian. auto: exact where it costs less."""
    overlap: float = Field(0.5, ge=0, lt=1)
    """Share of a blended window that its neighbour covers too."""
    batch: int = Field(1, ge=1)
    """Windows that go through the network together."""


@dataclass(frozen=True)
class Window:
    """One window of one dimension: read start…stop of the input, keep low…high of the output.

    `low` and `high` are in the output image's coordinates; `first` is where `low` lies in the window's own output.
    """

    start: int
    stop: int
    low: int
    high: int
    first: int

    def leaves_out(self, pixels: int) -> bool:
        """Whether so many pixels on each side of the output of a padded network are not kept."""
        return self.first >= pixels and self.stop - self.start - self.first - (self.high - self.low) >= pixels


def plan_windows(size: tuple[int, int], reach: Reach, tiles: Tiles) -> tuple[bool, list[list[Window]]]:
    """Whether the tiles are exact, and the windows of the rows and of the columns.

    Raises:
        SettingError: exact tiles are asked for and cannot be had, or the window is too small for any.
    """
    if tiles.mode == "exact" and not reach.is_local:
        raise SettingError(
            "This network's norm looks at the whole image: its tiles cannot be exact. Use tiles.mode=blend."
        )
    smallest = smallest_window(reach)
    possible = reach.is_local and all(
        n <= limit or limit >= smallest for n, limit in zip(size, tiles.window, strict=True)
    )
    if tiles.mode == "exact" and not possible:
        raise SettingError(
            f"A window of {tiles.window[0]}×{tiles.window[1]} is too small for exact tiles of this network; "
            f"use tiles.window of {smallest} or more, or tiles.mode=blend."
        )
    both = list(zip(size, tiles.window, strict=True))
    exact = [exact_windows(n, limit, reach) for n, limit in both] if possible else None
    if exact and (tiles.mode == "exact" or reach.margin):
        return True, exact  # a valid network's windows join without a seam and almost without overlap
    blended = [blended_windows(n, limit, reach, tiles.overlap) for n, limit in both]
    if exact and tiles.mode == "auto" and _pixels(exact) <= _pixels(blended):
        return True, exact
    return False, blended


def spared(size: tuple[int, int], reach: Reach, tiles: Tiles) -> tuple[int, int]:
    """How many pixels on each side of their logits windows amid the image leave to their neighbours, and how many such
    windows there are. 0 and 0 where tiles are not exact, or a valid network has lost those pixels already.
    """
    exact, sides = plan_windows(size, reach, tiles)
    pixels = min(_ceil(n, reach.stride) for n in (reach.before, reach.after))
    if not exact or reach.margin or not pixels:
        return 0, 0
    rows, columns = (sum(w.leaves_out(pixels) for w in line) for line in sides)
    return (pixels, rows * columns) if rows * columns else (0, 0)


def smallest_window(reach: Reach) -> int:
    """The smallest window that exact tiles can be cut to."""
    if reach.margin:
        return 2 * reach.margin + _spoilt(reach.before, reach) + _spoilt(reach.after, reach) + 2 * reach.stride
    return _ceil(reach.before, reach.stride) + _ceil(reach.after, reach.stride) + reach.stride


@dataclass(frozen=True)
class Cost:
    """What tiles cost: pixels that go through the network, for those that are wanted. Costs of members add up."""

    wanted: int
    computed: int
    windows: int
    exact: bool

    @property
    def overhead(self) -> float:
        """Pixels computed for each that is wanted."""
        return self.computed / self.wanted

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.wanted + other.wanted,
            self.computed + other.computed,
            self.windows + other.windows,
            self.exact and other.exact,
        )

    def times(self, views: int) -> "Cost":
        """The same where each window is looked at in so many ways."""
        return Cost(self.wanted, self.computed * views, self.windows * views, self.exact)

    def __str__(self) -> str:
        kind = "one window" if self.windows == 1 else f"{self.windows:,} {'exact' if self.exact else 'blended'} windows"
        millions = [f"{pixels / 1e6:.{0 if pixels >= 1e7 else 2}f}" for pixels in (self.computed, self.wanted)]
        return f"{kind}, {millions[0]} million pixels computed for {millions[1]} wanted: {self.overhead:.2f} times"


def cost(size: tuple[int, int], wanted: tuple[int, int], reach: Reach, tiles: Tiles) -> Cost:
    """What an image of a size that fits the network costs, of which so many rows and columns are wanted."""
    exact, windows = plan_windows(size, reach, tiles)
    return Cost(wanted[0] * wanted[1], _pixels(windows), len(windows[0]) * len(windows[1]), exact)


def _pixels(windows: Sequence[Sequence[Window]]) -> int:
    """Input pixels that go through the network."""
    rows, columns = (sum(w.stop - w.start for w in line) for line in windows)
    return rows * columns


def exact_windows(size: int, limit: int, reach: Reach) -> list[Window]:
    """Windows of one dimension that together give the logits of the whole: aligned to the stride, halo included."""
    if reach.margin:
        return _valid_windows(size, limit, reach)
    if size <= limit:
        return [Window(0, size, 0, size, 0)]
    s = reach.stride
    before, after = _ceil(reach.before, s), _ceil(reach.after, s)
    most = limit // s * s
    windows = []
    low = 0
    while low < size:
        start = max(0, low - before)
        # The image's own border needs no halo: the whole image is padded there just as the window is.
        high = size if start + most >= size else start + most - after
        windows.append(Window(start, min(size, high + after), low, high, low - start))
        low = high
    return windows


def _valid_windows(size: int, limit: int, reach: Reach) -> list[Window]:
    """Windows of a valid network: all alike, at multiples of the stride; the last may overlap the one before.

    Bilinear enlargement sees the border of its window even without padding; what it spoils is left to the neighbour.
    """
    out = size - 2 * reach.margin
    if size <= limit:
        return [Window(0, size, 0, out, 0)]
    # The whole fits the network, so an input that is multiples of the stride smaller fits too.
    window = size - _ceil(size - limit, reach.stride)
    good = window - 2 * reach.margin - _spoilt(reach.after, reach)
    step = (good - _spoilt(reach.before, reach)) // reach.stride * reach.stride
    windows: list[Window] = []
    for start in [*range(0, size - window, step), size - window]:
        low = windows[-1].high if windows else 0
        high = out if start == size - window else start + good
        windows.append(Window(start, start + window, low, high, low - start))
    return windows


def _spoilt(needed: int, reach: Reach) -> int:
    return max(0, needed - reach.margin)


def blended_windows(size: int, limit: int, reach: Reach, overlap: float) -> list[Window]:
    """Windows of one dimension, evenly spread, that overlap by at least the share asked for."""
    if size <= limit:
        return [Window(0, size, 0, size - 2 * reach.margin, 0)]
    s = reach.stride
    window = size - _ceil(size - limit, s) if reach.margin else limit // s * s
    if window - 2 * reach.margin < s:  # windows start a stride apart: what is less would leave gaps
        raise SettingError(f"A window of {limit} pixels is too small for this network; raise tiles.window.")
    step = max(s, int((window - 2 * reach.margin) * (1 - overlap)) // s * s)
    count = -(-(size - window) // step) + 1
    starts = [round(i * (size - window) / max(1, count - 1) / s) * s for i in range(count)]
    return [Window(a, a + window, a, a + window - 2 * reach.margin, 0) for a in starts]


def _ceil(value: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-value // step) * step
