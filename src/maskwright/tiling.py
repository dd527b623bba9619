"""Large images in windows: exact where the network allows it, blended elsewhere.

A network is known here only as a function from a batch B C h w to logits B K h' w', and by how its output hangs on
its input (`Reach`). Shapes: C H W image, K H W logits, h w one window.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.mirror import mirror_indices
from maskwright.records import Record

Network = Callable[[Tensor], Tensor]


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


def logits_of(network: Network, image_CHW: Tensor, reach: Reach, tiles: Tiles) -> Tensor:
    """Logits, K H' W' float32, for an image whose size fits the network.

    A same-padded network gives H' W' = H W. A valid network gives what is left after its margin on each side.

    Raises:
        SettingError: exact tiles are asked for that cannot be exact, or the window is smaller than the halo.
    """
    size = image_CHW.shape[-2], image_CHW.shape[-1]
    if size[0] <= tiles.window[0] and size[1] <= tiles.window[1]:
        return network(image_CHW[None])[0].float()
    exact, windows = plan_windows(size, reach, tiles)
    return (_joined if exact else _blended)(network, image_CHW, windows, tiles.batch)


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


def smallest_window(reach: Reach) -> int:
    """The smallest window that exact tiles can be cut to."""
    if reach.margin:
        return 2 * reach.margin + _spoilt(reach.before, reach) + _spoilt(reach.after, reach) + 2 * reach.stride
    return _ceil(reach.before, reach.stride) + _ceil(reach.after, reach.stride) + reach.stride


def _pixels(windows: list[list[Window]]) -> int:
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


def _batches(windows: list[list[Window]], batch: int) -> Iterator[list[tuple[Window, Window]]]:
    """Pairs of windows (rows, columns) in batches of equal input size."""
    waiting: list[tuple[Window, Window]] = []
    for y, x in product(*windows):
        pair = (y, x)
        shape = [w.stop - w.start for w in pair]
        if waiting and (len(waiting) == batch or shape != [w.stop - w.start for w in waiting[0]]):
            yield waiting
            waiting = []
        waiting.append(pair)
    yield waiting


def _run(
    network: Network, image_CHW: Tensor, windows: list[list[Window]], batch: int
) -> Iterator[tuple[Window, Window, Tensor]]:
    """Each pair of windows with its logits K h w, float32."""
    for pairs in _batches(windows, batch):
        inputs = torch.stack([image_CHW[:, y.start : y.stop, x.start : x.stop] for y, x in pairs])
        for (y, x), logits_Khw in zip(pairs, network(inputs).float(), strict=True):
            yield y, x, logits_Khw


def _joined(network: Network, image_CHW: Tensor, windows: list[list[Window]], batch: int) -> Tensor:
    total_KHW: Tensor | None = None
    for y, x, logits_Khw in _run(network, image_CHW, windows, batch):
        if total_KHW is None:
            total_KHW = logits_Khw.new_empty(logits_Khw.shape[0], windows[0][-1].high, windows[1][-1].high)
        kept = logits_Khw[:, y.first : y.first + y.high - y.low, x.first : x.first + x.high - x.low]
        total_KHW[:, y.low : y.high, x.low : x.high] = kept
    assert total_KHW is not None
    return total_KHW


def _blended(network: Network, image_CHW: Tensor, windows: list[list[Window]], batch: int) -> Tensor:
    total_KHW: Tensor | None = None
    for y, x, logits_Khw in _run(network, image_CHW, windows, batch):
        if total_KHW is None:
            total_KHW = logits_Khw.new_zeros(logits_Khw.shape[0], windows[0][-1].high, windows[1][-1].high)
            total_HW = total_KHW.new_zeros(total_KHW.shape[1:])
            weight_hw = gaussian(logits_Khw.shape[1:]).to(logits_Khw.device)
        here = (slice(y.low, y.high), slice(x.low, x.high))
        total_KHW[:, *here] += logits_Khw * weight_hw
        total_HW[here] += weight_hw
    assert total_KHW is not None
    return total_KHW / total_HW


def gaussian(size: tuple[int, ...] | torch.Size) -> Tensor:
    """The weight of each pixel of a window, h w: a Gaussian of an eighth of the window, at least 1e-3 a side."""
    rows, columns = (torch.exp(-0.5 * ((torch.arange(n) - (n - 1) / 2) / (n / 8)) ** 2).clamp(min=1e-3) for n in size)
    return rows[:, None] * columns[None, :]


def mirrored(image_CHW: Tensor, before: tuple[int, int], after: tuple[int, int]) -> Tensor:
    """The image with so many mirrored rows and columns around it, however many; one pixel alone is repeated."""
    rows, columns = (
        torch.from_numpy(mirror_indices(-b, n + a, n))
        for n, b, a in zip(image_CHW.shape[-2:], before, after, strict=True)
    )
    return image_CHW.index_select(-2, rows.to(image_CHW.device)).index_select(-1, columns.to(image_CHW.device))


def _ceil(value: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-value // step) * step
