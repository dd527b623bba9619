"""The convex hulls of objects, from their rims. N objects, H rows of the tallest of them."""

from typing import Final, NamedTuple

import numpy as np

from maskwright.regions.runs import Numbers, Runs

_FAR: Final = 1 << 40
_CELLS: Final = 1 << 21
"""Of objects × rows that are looked at at once."""


class Rim(NamedTuple):
    """Objects' first and last pixel in each of their rows, by number, then row."""

    values: Numbers
    rows: Numbers
    lefts: Numbers
    rights: Numbers


class Rims:
    """The rims of objects as bands of rows show them; when an object is complete its hull is counted, and its rim
    forgotten.
    """

    def __init__(self, boxes_N4: Numbers):
        self._boxes = boxes_N4
        self._open = Rim(*np.zeros((4, 0), np.int64))
        self._areas = np.zeros(len(boxes_N4), np.int64)

    def add(self, runs: Runs, bottom: int) -> None:
        """Take in the runs of the next rows, in reading order, down to the row `bottom`, not included."""
        rim = Rim(*(np.concatenate(both) for both in zip(self._open, rim_of(runs), strict=True)))
        order = np.argsort(rim.values, kind="stable")
        rim = Rim(*(part[order] for part in rim))
        complete = self._boxes[rim.values - 1, 2] <= bottom
        self._open = Rim(*(part[~complete] for part in rim))
        self._count(Rim(*(part[complete] for part in rim)))

    def areas(self) -> Numbers:
        """N: the pixels of each convex hull."""
        return self._areas

    def _count(self, rim: Rim) -> None:
        if not len(rim.values):
            return
        values, place = np.unique(rim.values, return_inverse=True)
        heights = self._boxes[values - 1, 2] - self._boxes[values - 1, 0]
        # Those of one height side by side: a table is as wide as its tallest.
        order = np.argsort(heights, kind="stable")
        sums = np.cumsum(heights[order])
        for group in np.split(order, np.flatnonzero(np.diff(sums // _CELLS)) + 1):
            chosen = np.zeros(len(values), bool)
            chosen[group] = True
            mine = chosen[place]
            self._areas[values[chosen] - 1] = hull_areas(Rim(*(part[mine] for part in rim)))


def rim_of(runs: Runs) -> Rim:
    """The rim of each object in the rows that the runs show whole."""
    order = np.lexsort((runs.starts, runs.rows, runs.values))
    values, rows = runs.values[order], runs.rows[order]
    new = np.ones(len(order), bool)
    new[1:] = (values[1:] != values[:-1]) | (rows[1:] != rows[:-1])
    first = np.flatnonzero(new)
    rights = np.maximum.reduceat(runs.stops[order], first) - 1 if len(first) else first
    return Rim(values[first], rows[first], runs.starts[order][first], rights)


def hull_areas(rim: Rim) -> Numbers:
    """N: how many pixels have their middle in the convex hull of the middles of all pixels' sides, its edge included.

    So does `skimage.morphology.convex_hull_image` draw a hull; here in whole numbers, of half pixels.
    """
    _, start, place = np.unique(rim.values, return_index=True, return_inverse=True)
    rows = rim.rows - rim.rows[start][place]
    heights = np.zeros(len(start), np.int64)
    np.maximum.at(heights, place, rows + 1)
    lefts = _first_columns(place, rows, rim.lefts, heights)
    rights = -_first_columns(place, rows, -rim.rights, heights)  # the right edge is the left one of the mirror image
    inside = np.arange(lefts.shape[1]) < heights[:, None]
    return np.where(inside, rights - lefts + 1, 0).sum(axis=1)


def _first_columns(place: Numbers, rows: Numbers, columns: Numbers, heights: Numbers) -> Numbers:
    """N H: the first column of the hull in each row, of the first pixel's column in each row."""
    count, points = len(heights), 2 * int(heights.max()) + 1
    # In half pixels, a place for each half row: a pixel's left side is at 2c - 1, its upper and lower at 2c.
    x = np.full((count, points), _FAR)
    x[place, 2 * rows + 1] = 2 * columns - 1
    for side in (0, 2):
        np.minimum.at(x, (place, 2 * rows + side), 2 * columns)
    corner = _corners(x, 2 * heights)
    steps = np.arange(points)
    before = np.maximum.accumulate(np.where(corner, steps, 0), axis=1)[:, 1::2]
    after = np.minimum.accumulate(np.where(corner, steps, points - 1)[:, ::-1], axis=1)[:, ::-1][:, 1::2]
    lower, upper = np.take_along_axis(x, before, 1), np.take_along_axis(x, after, 1)
    run = np.maximum(1, after - before)
    # A column is half of x, rounded up; x lies on the line between two corners.
    return -(-(lower * run + (upper - lower) * (steps[1::2] - before)) // (2 * run))


def _corners(x: Numbers, ends: Numbers) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """Which of the points are corners of the hull's left edge: from one, the next is where the edge leans most to the
    left (Jarvis 1973), for all objects at once.
    """
    corner = np.zeros(x.shape, bool)
    corner[:, 0] = True
    steps = np.arange(x.shape[1])
    at, active = np.zeros(len(x), np.int64), np.arange(len(x))
    while len(active):
        here = at[active]
        ahead = (steps > here[:, None]) & (steps <= ends[active, None])
        lean = np.full(ahead.shape, np.inf)
        np.divide(x[active] - x[active, here][:, None], steps - here[:, None], out=lean, where=ahead)
        at[active] = len(steps) - 1 - np.argmin(lean[:, ::-1], axis=1)  # of several the farthest
        corner[active, at[active]] = True
        active = active[at[active] < ends[active]]
    return corner
