"""The convex hulls of objects, row by row. N objects."""

from itertools import pairwise

import numpy as np

from maskwright.regions.runs import Numbers, Runs

Point = tuple[int, int]


class Rims:
    """The leftmost and rightmost pixel of each object in each of its rows; when an object is complete, its hull is
    counted and its rims are forgotten.
    """

    def __init__(self, boxes_N4: Numbers):
        self._boxes = boxes_N4
        self._open: dict[int, tuple[list[int], list[int], list[int]]] = {}
        self._areas = np.zeros(len(boxes_N4), np.int64)

    def add(self, runs: Runs) -> None:
        """Take in the runs of the next rows, in reading order."""
        order = np.argsort(runs.values, kind="stable")
        values, rows = runs.values[order], runs.rows[order]
        new = np.ones(len(order), bool)
        new[1:] = (values[1:] != values[:-1]) | (rows[1:] != rows[:-1])
        first = np.flatnonzero(new)
        lefts, rights = runs.starts[order][first], np.maximum.reduceat(runs.stops[order], first) - 1
        values, rows = values[first], rows[first]
        bounds = np.flatnonzero(np.diff(values, prepend=-1, append=-1))
        for start, stop in pairwise(bounds.tolist()):
            self._take(int(values[start]), *(part[start:stop].tolist() for part in (rows, lefts, rights)))

    def areas(self) -> Numbers:
        """N: the pixels of each convex hull."""
        for number in list(self._open):
            self._close(number)
        return self._areas

    def _take(self, number: int, rows: list[int], lefts: list[int], rights: list[int]) -> None:
        known = self._open.setdefault(number, ([], [], []))
        for kept, more in zip(known, (rows, lefts, rights), strict=True):
            kept += more
        if rows[-1] + 1 >= self._boxes[number - 1, 2]:
            self._close(number)

    def _close(self, number: int) -> None:
        self._areas[number - 1] = hull_area(*self._open.pop(number))


def hull_area(rows: list[int], lefts: list[int], rights: list[int]) -> int:
    """How many pixels have their middle in the convex hull of the middles of all pixels' sides, its edge included.

    rows: in order; lefts, rights: the first and last pixel of each.

    So does `skimage.morphology.convex_hull_image` draw the hull; here in whole numbers, of half pixels.
    """
    left = _hull([(2 * r + dr, 2 * c - (dr == 0)) for r, c in zip(rows, lefts, strict=True) for dr in (-1, 0, 1)])
    right = _hull([(2 * r + dr, -2 * c - (dr == 0)) for r, c in zip(rows, rights, strict=True) for dr in (-1, 0, 1)])
    # Both are left edges, the second of the mirror image: the last column is minus its first.
    return int((-_firsts(right) - _firsts(left) + 1).sum())


def _hull(points: list[Point]) -> list[Point]:
    """Those of the points (y, x) on the left edge of the hull, by y (Andrew 1979)."""
    hull: list[Point] = []
    for y, x in sorted(points):
        if hull and hull[-1][0] == y:  # of two in a row the left one
            continue
        while len(hull) > 1:
            (y0, x0), (y1, x1) = hull[-2], hull[-1]
            if (x1 - x0) * (y - y0) < (x - x0) * (y1 - y0):
                break
            hull.pop()
        hull.append((y, x))
    return hull


def _firsts(edge: list[Point]) -> Numbers:
    """The first column right of the edge in each row of pixels."""
    y, x = np.array(edge, np.int64).T
    rows = np.arange(y[0] + 1, y[-1], 2)
    k = np.searchsorted(y, rows, side="right") - 1
    run = y[k + 1] - y[k]
    # x at the row is (x_k · run + (x_{k+1} - x_k)(row - y_k)) / run; the column is half of it, rounded up.
    top = x[k] * run + (x[k + 1] - x[k]) * (rows - y[k])
    return -(-top // (2 * run))
