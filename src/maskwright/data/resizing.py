"""Resizing in parts: some rows and columns of a resized picture, from those of the picture that they hang on.

The same numbers as `torch.nn.functional.interpolate` with bilinear weights and antialiasing gives for the whole.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Taps:
    """What each pixel of one resized dimension is made of: its first pixel, and the weights from there on, N T."""

    first: NDArray[np.int64]
    weights: NDArray[np.float32]

    def needs(self, start: int, stop: int) -> slice:
        """The pixels that the resized ones start … stop-1 hang on."""
        return slice(int(self.first[start]), int(self.first[stop - 1]) + self.weights.shape[1])

    def resized(self, values: Tensor, dim: int, start: int, stop: int) -> Tensor:
        """The resized pixels start … stop-1 along a dimension, of what `needs` says, float32."""
        first = torch.from_numpy(self.first[start:stop] - self.first[start])
        shape = [-1 if d == dim else 1 for d in range(values.ndim)]
        total: Tensor | None = None
        for tap in range(self.weights.shape[1]):
            weight = torch.from_numpy(self.weights[start:stop, tap].copy()).reshape(shape)
            part = values.index_select(dim, first + tap) * weight
            total = part if total is None else total.add_(part)
        assert total is not None, "there is a pixel"
        return total


@lru_cache(maxsize=16)
def taps(size: int, to: int, kind: Literal["bilinear", "nearest"]) -> Taps:
    """How a dimension of `size` pixels is resized to `to`.

    bilinear: a triangle as wide as two pixels of the coarser of both, cut at the border. nearest: the pixel at each
    middle.
    """
    if size == to or kind == "nearest":
        return Taps(nearest(size, to), np.ones((to, 1), np.float32))
    # In single precision, as torch reckons: the same weights wherever the picture is cut.
    one, half = np.float32(1), np.float32(0.5)
    step = np.float32(size / to)
    width = max(step, one)
    middle = (np.arange(to, dtype=np.float32) + half) * step
    low = np.maximum(0, (middle - width + half).astype(np.int64))
    high = np.minimum(size, (middle + width + half).astype(np.int64))
    count = int((high - low).max())
    first = np.minimum(low, size - count)  # the border's have fewer: what is before or behind weighs nothing
    where = first[:, None] + np.arange(count)
    weights = np.maximum(0, one - np.abs((where.astype(np.float32) - middle[:, None] + half) / width))
    weights[(where < low[:, None]) | (where >= high[:, None])] = 0
    return Taps(first, weights / weights.sum(1, keepdims=True, dtype=np.float32))


def nearest(size: int, to: int) -> NDArray[np.int64]:
    """The pixel at the middle of each resized one."""
    return ((np.arange(to) + 0.5) * size / to).astype(np.int64)
