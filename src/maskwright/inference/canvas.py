"""The canvas: what a network sees of a scene, window by window, without the whole ever being there."""

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from torch import Tensor

from maskwright.anysize import fitted_indices
from maskwright.data.moments import Moments, Scaling
from maskwright.data.preprocess import Preprocess
from maskwright.data.resizing import nearest, taps
from maskwright.files.stored import Array
from maskwright.inference.scene_rows import STEP, Kept, SceneRows
from maskwright.model import UNetRecord

COLUMNS = 4096
"""Columns whose statistics are taken at a time, in double precision."""
NEAR = 2
"""Pixels around a window that are looked at too before it is skipped: enlarging the logits mixes neighbours."""


class Canvas:
    """A scene at working size, padded until it fits a network, normalised: a source of windows for tiling.

    Pixels without data are filled with the mean, 0 after normalisation, before anything mixes them with others.
    """

    def __init__(
        self, rows: SceneRows, preprocess: Preprocess, record: UNetRecord, device: str, own: Scaling | None = None
    ):
        self._rows, self._device = rows, device
        self._working = _working(rows, preprocess, own)
        self._down, self._across = fitted_indices(record, self._working.size)
        # Mirrored at the lower border, a window may reach up again: what it and all below it need.
        self._lowest = np.minimum.accumulate(self._down[::-1])[::-1]
        self.size = len(self._down), len(self._across)

    def need(self, row: int) -> None:
        """From now on no window begins above that row."""
        self._working.need(int(self._lowest[row]))

    def window(self, rows: slice, columns: slice) -> Tensor | None:
        """The window C h w as the network sees it, None if it has no data."""
        down, across = self._down[rows], self._across[columns]
        self.need(rows.start)
        inner = tuple(slice(int(index.min()), int(index.max()) + 1) for index in (down, across))
        valid_hw = self._rows.valid(
            *(around(*sides) for sides in zip(inner, self._working.size, self._rows.size, strict=True))
        )
        if valid_hw is not None and not valid_hw.any():
            return None
        image_Chw = self._working.part(*inner)
        for dim, (index, part) in enumerate(zip((down, across), inner, strict=True), start=1):
            if len(index) != part.stop - part.start or (np.diff(index) < 0).any():
                image_Chw = image_Chw.index_select(dim, torch.from_numpy(index - part.start))
        return image_Chw.to(self._device)


def moments_of(rows: SceneRows, preprocess: Preprocess) -> Moments:
    """Mean and standard deviation of a whole scene at working size, over its pixels that hold data."""
    # Values are counted from the training's mean, which also stands in where there are none.
    centred = preprocess.model_copy(update={"statistics": "training", "std": (1.0,) * preprocess.channels})
    working = _working(rows, centred, None)
    down, across = (nearest(n, to) for n, to in zip(rows.size, working.size, strict=True))
    total = Moments.of(np.empty((0, preprocess.channels)))
    for start, left in product(range(0, working.size[0], STEP), range(0, working.size[1], COLUMNS)):
        working.need(start)
        part = slice(start, min(working.size[0], start + STEP)), slice(left, min(working.size[1], left + COLUMNS))
        values_NC = working.part(*part).flatten(1).T.numpy()
        y, x = down[part[0]], across[part[1]]
        valid_hw = rows.valid(slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1))
        if valid_hw is not None:
            values_NC = values_NC[valid_hw[(y - y[0])[:, None], x - x[0]].ravel()]
        total += Moments.of(values_NC)
    return replace(total, mean=total.mean + np.array(preprocess.mean))


class AsStored:
    """A scene that is not resized, in parts, normalised."""

    def __init__(self, rows: SceneRows, preprocess: Preprocess, own: Scaling | None):
        self._rows, self._preprocess, self._own = rows, preprocess, own
        self.size = rows.size

    def need(self, row: int) -> None:
        """From now on no row above that one is asked for."""
        self._rows.need(self, row)
        self._rows.need_valid(self, max(0, row - NEAR))

    def part(self, rows: slice, columns: slice) -> Tensor:
        """The part C h w as the network sees it."""
        image_hwC, valid_hw = self._rows.image(rows, columns), self._rows.valid(rows, columns)
        image_Chw = self._preprocess.normalise(_floats(image_hwC).permute(2, 0, 1), self._own)
        if valid_hw is not None:
            image_Chw[:, torch.from_numpy(~valid_hw)] = 0
        return image_Chw


class Resized:
    """A scene at another size, in parts, normalised. Its rows are resized once and kept while they are needed."""

    def __init__(self, rows: SceneRows, preprocess: Preprocess, own: Scaling | None):
        self._rows, self._preprocess, self._own = rows, preprocess, own
        self.size = preprocess.working_size(*rows.size)
        self._down, self._across = (
            taps(n, to, preprocess.interpolation) for n, to in zip(rows.size, self.size, strict=True)
        )
        self._lines = max(1, STEP * self.size[0] // rows.size[0])  # resized together: so many, and never all
        self._kept = Kept()

    def need(self, row: int) -> None:
        """From now on no row above that one is asked for."""
        self._kept.begin(min(row, self._kept.stop) if self._kept.stop else row)
        self._rows.need(self, self._down.needs(self._kept.stop, self._kept.stop + 1).start if self._more else 2**62)
        self._rows.need_valid(self, around(slice(row, row), self.size[0], self._rows.size[0]).start)

    def part(self, rows: slice, columns: slice) -> Tensor:
        """The part C h w as the network sees it."""
        while self._kept.stop < rows.stop:
            start, stop = self._kept.stop, min(self.size[0], self._kept.stop + self._lines)
            self._kept.add(self._lines_of(start, stop).numpy())
            self._rows.need(self, self._down.needs(stop, stop + 1).start if self._more else self._rows.size[0])
        return torch.from_numpy(self._kept.take(rows, columns)).permute(2, 0, 1)

    @property
    def _more(self) -> bool:
        return self._kept.stop < self.size[0]

    def _lines_of(self, start: int, stop: int) -> Tensor:
        """Resized rows, h w C normalised."""
        rows, columns = self._down.needs(start, stop), self._across.needs(0, self.size[1])
        image_hwC, valid_hw = _floats(self._rows.image(rows, columns)), self._rows.valid(rows, columns)
        image_hwC = self._preprocess.normalise(image_hwC.permute(2, 0, 1), self._own).permute(1, 2, 0)
        if valid_hw is not None:
            image_hwC[torch.from_numpy(~valid_hw)] = 0
        return self._across.resized(self._down.resized(image_hwC, 0, start, stop), 1, 0, self.size[1])


def _working(rows: SceneRows, preprocess: Preprocess, own: Scaling | None) -> AsStored | Resized:
    return (AsStored if preprocess.working_size(*rows.size) == rows.size else Resized)(rows, preprocess, own)


def around(part: slice, n: int, size: int) -> slice:
    """Of a scene's `size` pixels those that lie where this part of `n` does, and a little around."""
    return slice(max(0, (part.start - NEAR) * size // n), min(size, -(-(part.stop + NEAR) * size // n)))


def _floats(image_hwC: Array) -> Tensor:
    """A copy in float32."""
    return torch.from_numpy(np.array(image_hwC, np.float32))
