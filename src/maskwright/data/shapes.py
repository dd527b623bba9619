"""How thin what is drawn in the masks is: what a coarser grid would lose."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.sample import Sample, Samples
from maskwright.records import IGNORED

LOOKED_AT: Final = 12
"""Masks, evenly spread over the samples."""
LARGEST: Final = 25_000_000
"""Pixels of a mask that is still looked at."""


def thickness(samples: Samples, part: Sequence[Sample]) -> tuple[float | None, ...]:
    """The thickness of each class's structures in pixels, from a dozen masks of the part; None: it is in none."""
    sized = [sample for sample in part if sample.height * sample.width <= LARGEST]
    every = max(1, -(-len(sized) // LOOKED_AT))
    area_K, border_K = np.zeros(samples.labels.count), np.zeros(samples.labels.count)
    for sample in sized[::every]:
        area, border = area_and_border(samples.labels_of(sample), samples.labels.count)
        area_K += area
        border_K += border
    widths = 2 * area_K / np.maximum(1, border_K)
    return tuple(round(float(width), 2) if area else None for width, area in zip(widths, area_K, strict=True))


def area_and_border(labels_HW: NDArray[np.uint8], classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels of each class, and the sides of its pixels at which it ends; at the image's edge nothing ends."""
    area = np.bincount(labels_HW.ravel(), minlength=IGNORED + 1)[:classes]
    border = np.zeros(IGNORED + 1, np.int64)
    for before, after in ((labels_HW[1:], labels_HW[:-1]), (labels_HW[:, 1:], labels_HW[:, :-1])):
        changes = before != after
        for side in (before, after):
            border += np.bincount(side[changes], minlength=IGNORED + 1)
    return area, border[:classes]
