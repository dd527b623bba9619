"""A network over an image of any size: padded to what fits, in tiles if it is large, cut back to the image.

Training validates with it and inference predicts with it, so both see the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskwright.data.labels import Labels
from maskwright.mirror import mirror_indices
from maskwright.model.record import UNetRecord
from maskwright.model.sizes import fitting_input, geometry
from maskwright.model.unet import UNet
from maskwright.tiling import Block, Tiles, logits_of, probabilities_of

LEAST: Final = 1e-30
"""Added to each class's probability where they are compared: where all are 0, all are alike."""


@torch.inference_mode()
def image_logits(network: UNet, image_CHW: Tensor, tiles: Tiles) -> Tensor:
    """Logits, K H W float32, of a normalised image C H W, in the image's own size.

    A same-padded network sees the image mirrored up to a multiple of its stride; a valid one sees it mirrored all
    around, as wide as its margin.
    """
    height, width = image_CHW.shape[-2:]
    reach = geometry(network.record)
    return logits_of(network.logits, fitted(network.record, image_CHW), reach, tiles)[:, :height, :width]


def fitted(record: UNetRecord, image_CHW: Tensor) -> Tensor:
    """The image padded by mirroring until it fits the network; its logits then begin where the image began."""
    for dim, (index, n) in enumerate(
        zip(fitted_indices(record, image_CHW.shape[1:]), image_CHW.shape[1:], strict=True)
    ):
        if len(index) > n:
            image_CHW = image_CHW.index_select(dim + 1, torch.from_numpy(index).to(image_CHW.device))
    return image_CHW


def fitted_indices(record: UNetRecord, size: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For the rows and the columns of the padded image, those of the image that they show.

    An image too small to be mirrored as far as a same-padded network needs repeats its last row and column, as it does
    when the network is called.
    """
    if record.padding == "valid":
        margin = geometry(record).margin
        rows, columns = (mirror_indices(-margin, fitting_input(record, n) - margin, n) for n in size)
        return rows, columns
    fits = [-(-n // record.stride) * record.stride for n in size]
    mirrors = all(fit - n < n for fit, n in zip(fits, size, strict=True))
    rows, columns = (
        mirror_indices(0, fit, n) if mirrors else np.minimum(np.arange(fit), n - 1)
        for fit, n in zip(fits, size, strict=True)
    )
    return rows, columns


def as_probabilities(logits_KHW: Tensor) -> Tensor:
    """Probabilities over all classes, K H W; a single logit gives two."""
    return probabilities_of(logits_KHW, 0)


def of_classes(shares_KHW: Tensor, labels: Labels) -> tuple[Tensor, Tensor | None]:
    """Probabilities over the classes, of those over all that a network tells apart, in their room; and where what it
    learned of objects is likelier than the rest of their classes, H W bool, None if it learned nothing of them.

    What is learned of objects is a part of the foreground, so it counts as that before anything is decided: a pixel of
    0.4 background, 0.35 foreground and 0.25 border is foreground. Of several classes it is a part of each as much as
    that is likely besides: 0.2 cat, 0.1 dog and 0.6 border are 0.6 cat and 0.3 dog.
    """
    if labels.learned is None:
        return shares_KHW, None
    learned_HW, (first, *others) = shares_KHW[labels.learned], labels.things
    rest_HW = shares_KHW[first].clone()
    for label in others:  # one by one: a sum over them might add in another order where blocks are cut elsewhere
        rest_HW += shares_KHW[label]
    marked_HW = learned_HW >= rest_HW
    for label in labels.things:
        part_HW = (shares_KHW[label] + LEAST) / (rest_HW + len(labels.things) * LEAST)
        shares_KHW[label] += part_HW * learned_HW
    return shares_KHW[: labels.count], marked_HW


def enlarged_rows(logits_Khw: Tensor, size: tuple[int, int], first: int, stop: int) -> Tensor:
    """Rows first … stop-1 of the logits enlarged bilinearly to `size`, K rows W; the same as enlarging them all."""
    h, w = logits_Khw.shape[1:]
    rows, columns = Line(h, size[0]), Line(w, size[1])
    return columns.enlarged(rows.enlarged(logits_Khw, 1, first, stop), 2, 0, size[1])


class Line:
    """One dimension of `n` pixels enlarged, or made smaller, to `to`: each new pixel lies between two old ones.

    The same as bilinear `torch.nn.functional.interpolate`, and the same bit for bit however it is cut.
    """

    def __init__(self, n: int, to: int):
        self.n, self.to = n, to
        where = np.clip((np.arange(to) + 0.5) * (n / to) - 0.5, 0, n - 1)
        self._low = where.astype(np.int64)
        self._high = np.minimum(self._low + 1, n - 1)
        self._share = (where - self._low).astype(np.float32)

    def ready(self, stop: int) -> int:
        """How many new pixels can be had when the old ones before `stop` are known."""
        if self.n == self.to:
            return stop
        return int(np.searchsorted(self._high, stop)) if stop < self.n else self.to

    def needs(self, start: int) -> int:
        """The first old pixel that a new one and those after it hang on."""
        return int(self._low[start])

    def enlarged(self, values: Tensor, dim: int, start: int, stop: int, first: int = 0) -> Tensor:
        """The new pixels start … stop-1 along a dimension, of values whose first there is the old pixel `first`."""
        if self.n == self.to:
            return values.narrow(dim, start - first, stop - start)
        low, high = (
            values.index_select(dim, torch.from_numpy(side[start:stop] - first).to(values.device))
            for side in (self._low, self._high)
        )
        shape = [-1 if d == dim else 1 for d in range(values.ndim)]
        return torch.lerp(low, high, torch.from_numpy(self._share[start:stop].copy()).to(values.device).reshape(shape))


def enlarged_blocks(
    blocks: Iterable[Block], before: tuple[int, int], after: tuple[int, int], start: int
) -> Iterator[Block]:
    """Blocks of an image of the size `before`, as they come from top to bottom, as blocks of the enlarged image.

    start: the row of the enlarged image to begin with.
    """
    if before == after:
        yield from blocks
        return
    rows, columns = (Line(n, to) for n, to in zip(before, after, strict=True))
    above: Tensor | None = None  # the last row of the blocks above, K w
    top = start
    for _, neighbours in groupby(blocks, key=lambda block: block.rows.start):
        left: Tensor | None = None  # the last column of the block before, K h 1
        lowest = []
        for block in neighbours:
            values, first = block.values, block.rows.start
            lowest.append(values[:, -1].clone())
            if above is not None:
                values, first = torch.cat([above[:, None, block.columns], values], 1), first - 1
            if left is not None:
                values = torch.cat([left, values], 2)
            left = values[:, :, -1:].clone()
            down = slice(top, max(top, rows.ready(block.rows.stop)))
            across = slice(columns.ready(block.columns.start), columns.ready(block.columns.stop))
            if down.start < down.stop and across.start < across.stop:
                part = rows.enlarged(values, 1, down.start, down.stop, first)
                edge = max(0, block.columns.start - 1)
                yield Block(down, across, columns.enlarged(part, 2, across.start, across.stop, edge))
        top, above = down.stop, torch.cat(lowest, 1)
