"""Logits of a large image from top to bottom, in blocks that are finished; no more is kept than waits for a neighbour.

A network is known here only as a function from a batch B C h w to logits B K h' w', and by how its output hangs on
its input (`Reach`). Shapes: C H W image, K H W logits, h w one window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor

from maskwright.tiling.shelf import IN_MEMORY, Shelf
from maskwright.tiling.windows import Reach, Tiles, Window, plan_windows

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Inside:
    """A network's logits but for those of the outermost `margin` pixels on each side, at less cost."""

    network: Network
    margin: int


class Source(Protocol):
    """What windows are cut from."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width; they fit the network."""

    def window(self, rows: slice, columns: slice) -> Tensor | None:
        """The window C h w as the network sees it; None where it holds no data at all. Rows are asked for from top to
        bottom: none begins above one that was asked for before.
        """


@dataclass(frozen=True, eq=False)
class Block:
    """Finished values, K h w, of these rows and columns."""

    rows: slice
    columns: slice
    values: Tensor

    def below(self, row: int) -> "Block | None":
        """What of it lies from a row on."""
        more = max(0, row - self.rows.start)
        if more >= self.rows.stop - self.rows.start:
            return None
        return Block(slice(self.rows.start + more, self.rows.stop), self.columns, self.values[:, more:])


class Whole:
    """An image C H W in memory as a source."""

    def __init__(self, image_CHW: Tensor):
        self._image = image_CHW
        self.size: tuple[int, int] = (image_CHW.shape[-2], image_CHW.shape[-1])

    def window(self, rows: slice, columns: slice) -> Tensor:
        """The window C h w."""
        return self._image[:, rows, columns]


def logits_of(network: Network, image_CHW: Tensor, reach: Reach, tiles: Tiles) -> Tensor:
    """Logits, K H' W' float32, for an image whose size fits the network.

    A same-padded network gives H' W' = H W. A valid network gives what is left after its margin on each side.

    Raises:
        SettingError: exact tiles are asked for that cannot be exact, or the window is smaller than the halo.
    """
    height, width = image_CHW.shape[-2:]
    if height <= tiles.window[0] and width <= tiles.window[1]:
        return network(image_CHW[None])[0].float()
    total_KHW: Tensor | None = None
    for block in bands(network, Whole(image_CHW), reach, tiles):
        if total_KHW is None:
            left = (height - 2 * reach.margin, width - 2 * reach.margin)
            total_KHW = block.values.new_empty(block.values.shape[0], *left)
        total_KHW[:, block.rows, block.columns] = block.values
    assert total_KHW is not None, "an image has windows"
    return total_KHW


def bands(
    network: Network,
    source: Source,
    reach: Reach,
    tiles: Tiles,
    *,
    start: int = 0,
    classes: int | None = None,
    device: str = "cpu",
    in_memory: int = IN_MEMORY,
    inside: Inside | None = None,
) -> Iterator[Block]:
    """The logits of `logits_of` in blocks, float32: a row of blocks after the other, each from left to right. Blocks of
    a row have the same rows, and all of them together are the whole, without overlap.

    start: the row of the output with which the first blocks begin; the numbers are the same, bit for bit, as without.
    classes: K, where the source may have windows without data: those are not computed, their logits are 0.
    device: where those zeros lie, as the network's logits do.
    in_memory: bytes of blended logits that are kept in memory while they wait for the windows below; the others wait
    in a temporary file.
    inside: what computes exact windows whose outermost logits are not kept; None: the network itself. `spared` says
    what margin there is.

    Raises:
        SettingError: exact tiles are asked for that cannot be exact, or the window is smaller than the halo.
    """
    exact, (rows, columns) = plan_windows(source.size, reach, tiles)
    computed = _Computed(
        network, inside if exact else None, source, reach.margin, columns, tiles.batch, classes, device
    )
    blocks = _joined(computed, rows, start) if exact else _blended(computed, rows, start, in_memory)
    for block in blocks:
        part = block.below(start)
        assert part is not None, "no row of windows above is computed"
        yield part


def block_rows(size: tuple[int, int], reach: Reach, tiles: Tiles) -> list[int]:
    """The rows of the output at which the blocks of `bands` begin, for an input of that size."""
    return [y.low for y in plan_windows(size, reach, tiles)[1][0]]


def first_input_row(size: tuple[int, int], reach: Reach, tiles: Tiles, start: int) -> int:
    """The first row of an input of that size that `bands` asks for if it begins with the output row `start`."""
    exact, (rows, _) = plan_windows(size, reach, tiles)
    return rows[_first(rows, start, exact=exact)].start


def _first(rows: Sequence[Window], start: int, *, exact: bool) -> int:
    """The first row of windows that bears on the output from a row on."""
    if not exact:  # every window that reaches into the block with that row
        start = rows[next(n for n in range(len(rows)) if _end(rows, n) > start)].low
    return next(n for n, y in enumerate(rows) if y.high > start)


@dataclass(frozen=True)
class _Computed:
    """The windows of an image, computed a row of windows at a time."""

    network: Network
    inside: Inside | None
    source: Source
    margin: int
    columns: Sequence[Window]
    batch: int
    classes: int | None
    device: str

    def row(self, y: Window) -> Iterator[tuple[Window, Tensor, int]]:
        """Each window of a row from left to right, its logits K h w float32, and how many on each side are left out."""
        for several, inside in self._batches(y):
            inputs = [self.source.window(slice(y.start, y.stop), slice(x.start, x.stop)) for x in several]
            some = [image_Chw for image_Chw in inputs if image_Chw is not None]
            network, out = (inside.network, inside.margin) if inside else (self.network, 0)
            logits = iter(network(torch.stack(some)).float() if some else ())
            for x, image_Chw in zip(several, inputs, strict=True):
                yield (x, self._zeros(y, x), 0) if image_Chw is None else (x, next(logits), out)

    def _batches(self, y: Window) -> Iterator[tuple[list[Window], Inside | None]]:
        """Neighbours that are equally wide, and of which all or none can do without their outermost logits."""

        def kind(x: Window) -> tuple[int, Inside | None]:
            spares = self.inside and all(w.leaves_out(self.inside.margin) for w in (y, x))
            return x.stop - x.start, self.inside if spares else None

        for (_, inside), alike in groupby(self.columns, kind):
            several = list(alike)
            for first in range(0, len(several), self.batch):
                yield several[first : first + self.batch], inside

    def _zeros(self, y: Window, x: Window) -> Tensor:
        assert self.classes is not None, "who skips windows says how many classes there are"
        return torch.zeros(self.classes, *(w.stop - w.start - 2 * self.margin for w in (y, x)), device=self.device)


def _joined(computed: _Computed, rows: Sequence[Window], start: int) -> Iterator[Block]:
    """What each exact window alone says."""
    for y in rows[_first(rows, start, exact=True) :]:
        for x, logits_Khw, out in computed.row(y):
            down, across = (slice(w.first - out, w.first - out + w.high - w.low) for w in (y, x))
            yield Block(slice(y.low, y.high), slice(x.low, x.high), logits_Khw[:, down, across])


def _blended(computed: _Computed, rows: Sequence[Window], start: int, in_memory: int) -> Iterator[Block]:
    """The weighted mean of windows that overlap. Sums wait for the windows to their right, then for those below."""
    columns = computed.columns
    weight_H, weight_W = _total_weight(rows), _total_weight(columns)
    with Shelf(in_memory) as shelf:
        for n in range(_first(rows, start, exact=False), len(rows)):
            y, end = rows[n], _end(rows, n)
            for block in _sums(computed, y, shelf):
                done = end - y.low
                if end < y.high:
                    shelf.put(slice(end, y.high), block.columns, block.values[:, done:])
                if end > start:
                    weight_hw = (weight_H[y.low : end, None] * weight_W[block.columns]).to(block.values.device)
                    yield Block(slice(y.low, end), block.columns, block.values[:, :done] / weight_hw)


def _sums(computed: _Computed, y: Window, shelf: Shelf) -> Iterator[Block]:
    """For a row of windows their weighted logits, with what lies on the shelf of the rows above, in the columns to
    which no later window of the row adds.
    """
    sums_Khw: Tensor | None = None
    right = 0
    for m, (x, logits_Khw, _) in enumerate(computed.row(y)):
        above = logits_Khw.new_zeros(logits_Khw.shape[0], y.high - y.low, x.high - right)
        shelf.fill(above, slice(y.low, y.high), slice(right, x.high))
        shelf.drop(y.high - 1, x.high)  # what the rows above left here; this row's own ends at y.high
        sums_Khw, right = above if sums_Khw is None else torch.cat([sums_Khw, above], dim=2), x.high
        sums_Khw += logits_Khw * gaussian(logits_Khw.shape[1:]).to(logits_Khw.device)
        cut = _end(computed.columns, m)
        yield Block(slice(y.low, y.high), slice(x.low, cut), sums_Khw[:, :, : cut - x.low])
        sums_Khw = sums_Khw[:, :, cut - x.low :]


def _end(windows: Sequence[Window], n: int) -> int:
    """Where the next window begins, and what is before it is finished."""
    return windows[n + 1].low if n + 1 < len(windows) else windows[n].high


def _total_weight(windows: Sequence[Window]) -> Tensor:
    """The weights of all windows at each pixel of one dimension; those of two dimensions are products."""
    total = torch.zeros(windows[-1].high)
    for w in windows:
        total[w.low : w.high] += _bell(w.high - w.low)
    return total


def gaussian(size: tuple[int, ...] | torch.Size) -> Tensor:
    """The weight of each pixel of a window, h w: a Gaussian of an eighth of the window, at least 1e-3 a side."""
    rows, columns = (_bell(n) for n in size)
    return rows[:, None] * columns[None, :]


def _bell(n: int) -> Tensor:
    return torch.exp(-0.5 * ((torch.arange(n) - (n - 1) / 2) / (n / 8)) ** 2).clamp(min=1e-3)
