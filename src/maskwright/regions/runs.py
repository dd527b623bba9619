"""Runs: the stretches of one number in the rows of a map, from which sizes and boxes follow. Shapes: h w the window."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


class Runs(NamedTuple):
    """The runs of a window in reading order, a number each: row, first column, first column behind it, value."""

    rows: Numbers
    starts: Numbers
    stops: Numbers
    values: Numbers

    @property
    def lengths(self) -> Numbers:
        """Pixels."""
        return self.stops - self.starts


class Extents(NamedTuple):
    """What the runs say of the regions 1 … N: their first pixel, box and area; a region without a pixel has area 0."""

    firsts: Numbers
    """N: the first run of each."""
    boxes: Numbers
    """N 4: top, left, bottom, right; the last two are the first outside."""
    areas: Numbers


def runs_of(values_hw: NDArray[np.integer[Any]]) -> Runs:
    """The longest stretches of one value other than 0 in each row."""
    height, width = values_hw.shape
    starts, ends = np.ones((2, height, width), bool)
    starts[:, 1:] = ends[:, :-1] = values_hw[:, 1:] != values_hw[:, :-1]
    there = values_hw != 0
    first = np.flatnonzero(starts & there)
    behind = np.flatnonzero(ends & there) + 1
    rows = first // max(1, width)
    return Runs(rows, first - rows * width, behind - rows * width, values_hw.ravel()[first].astype(np.int64))


def extents(runs: Runs, count: int) -> Extents:
    """First runs, boxes and areas of the regions 1 … `count`."""
    at = runs.values - 1
    firsts, boxes, areas = np.zeros(count, np.int64), np.zeros((count, 4), np.int64), np.zeros(count, np.int64)
    firsts[at[::-1]] = np.arange(len(at))[::-1]  # of several, the one written last stays
    boxes[:, 0] = runs.rows[firsts] if len(at) else 0  # runs come row by row
    boxes[at, 2] = runs.rows + 1
    boxes[:, 1] = runs.starts[firsts] if len(at) else 0
    np.minimum.at(boxes[:, 1], at, runs.starts)
    np.maximum.at(boxes[:, 3], at, runs.stops)
    np.add.at(areas, at, runs.lengths)
    return Extents(firsts, boxes, areas)
