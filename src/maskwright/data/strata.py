"""Strata: what images show, and parts that each show as much of it as all do."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskwright.data.groups import Unit
from maskwright.data.labels import Labels
from maskwright.data.sample import Sample
from maskwright.records import IGNORED

BINS = 10
"""Strata of equal width in foreground share, besides the one of images without any."""
LEVELS = (0.5, 0.85)
"""Where there are more classes, each marks the images that show it, and those that show more of it than this part of
them does."""


def stratum(sample: Sample, labels: Labels) -> int:
    """0 for an image without foreground, then 1 … `BINS` by its share of the pixels that count.

    Foreground is what is not background; where no class is background, what is not of the first class.
    """
    counted = _counted(sample, labels)
    total = sum(counted)
    shown = total - counted[labels.background or 0]
    return math.ceil(BINS * shown / total) if total else 0


def marks(samples: Sequence[Sample], labels: Labels) -> NDArray[np.int64]:
    """What each image shows, N L of 0 and 1: of one foreground class its stratum; of more, for each class whether it
    is there, and whether much of it is.
    """
    if labels.count <= 2:
        return np.eye(BINS + 1, dtype=np.int64)[[stratum(sample, labels) for sample in samples]]
    pixels_NK = np.array([_counted(sample, labels) for sample in samples], np.float64).reshape(-1, labels.count)
    shares_NK = pixels_NK / np.maximum(1, pixels_NK.sum(axis=1, keepdims=True))
    columns = []
    for shares_N in shares_NK.T:
        there = shares_N > 0
        limits = [0.0, *(np.quantile(shares_N[there], LEVELS) if there.any() else ())]
        columns += [shares_N > limit for limit in limits]
    return np.stack(columns, axis=1).astype(np.int64)


def spread(units: Sequence[Unit], marks_NL: NDArray[np.int64], wanted: Sequence[int]) -> list[int]:
    """The part of each unit, 0 … P-1, such that each part shows as much of every mark as all do.

    units: in the order of drawing. wanted: images a part, together as many as the units have. A part misses that by
    less than the largest unit, so images that are alone meet it exactly. No part is empty where there are as many
    units. Of a mark that few units have, each part gets one if it can; the units with the rarest are placed first, as
    in the iterative stratification of Sechidis, Tsoumakas and Vlahavas (ECML 2011), in the part that lacks it most.
    """
    marks_UL = np.array([marks_NL[list(unit.members)].sum(axis=0) for unit in units])
    left = _Left(marks_UL, np.array([unit.size for unit in units]), np.array(wanted))
    while (todo := np.flatnonzero(left.part_U < 0)).size:
        bearers_L = (marks_UL[todo] > 0).sum(axis=0)
        if bearers_L.any():
            mark = int(np.argmin(np.where(bearers_L > 0, bearers_L, len(units) + 1)))
            bearing = todo[marks_UL[todo, mark] > 0]
            # The large first: what is small fits in where they left a gap.
            for unit in bearing[np.argsort(-marks_UL[bearing, mark], kind="stable")]:
                left.put(unit, mark)
        else:
            for unit in todo[np.argsort(-left.size_U[todo], kind="stable")]:
                left.put(unit, None)
    return [int(part) for part in left.part_U]


class _Left:
    """What each part still wants, while units are put into them."""

    def __init__(self, marks_UL: NDArray[np.int64], size_U: NDArray[np.int64], wanted_P: NDArray[np.int64]):
        self.marks_UL, self.size_U, self.wanted_P = marks_UL, size_U, wanted_P.astype(np.float64)
        self.wanted_PL = np.outer(wanted_P / wanted_P.sum(), marks_UL.sum(axis=0))
        self.has_PL = np.zeros(self.wanted_PL.shape, bool)
        self.units_P = np.zeros(len(wanted_P), int)
        self.part_U = np.full(len(size_U), -1)
        self.bearers_L = (marks_UL > 0).sum(axis=0)

    def put(self, unit: int, mark: int | None) -> None:
        """The unit into the part that lacks its mark most, of those with room for it."""
        size = self.size_U[unit]
        empty = self.units_P == 0
        if (self.part_U < 0).sum() <= empty.sum():
            open_P = empty
        else:
            open_P = self.wanted_P >= size
            if not open_P.any():
                open_P = self.wanted_P == self.wanted_P.max()
            if mark is not None and self.bearers_L[mark] <= (lacking := ~self.has_PL[:, mark]).sum():
                open_P = open_P & lacking if (open_P & lacking).any() else open_P
        need_P = self.wanted_PL[:, mark] if mark is not None else self.wanted_P
        # Rounded, so that sums of the same numbers in another order are equal; of equals the first.
        rank = np.lexsort((-np.arange(len(open_P)), self.wanted_P, need_P.round(9), open_P))
        part = int(rank[-1])
        self.part_U[unit] = part
        self.units_P[part] += 1
        self.wanted_P[part] -= size
        self.wanted_PL[part] -= self.marks_UL[unit]
        self.has_PL[part] |= self.marks_UL[unit] > 0
        self.bearers_L -= self.marks_UL[unit] > 0


def _counted(sample: Sample, labels: Labels) -> list[int]:
    """Pixels a label, those ignored left out."""
    label_of = labels.label_of
    counted = [0] * labels.count
    for value, pixels in sample.values.items():
        if (label := label_of[value]) != IGNORED:
            counted[label] += pixels
    return counted
