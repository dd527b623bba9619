"""Which pixels lie inside outlines. A pixel belongs to what holds its centre; N points, h w the box, H W the picture.

scikit-image's `draw.polygon` tests every pixel against every edge: a disc of 1,000 corners and radius 500 takes it
3 s on one core, and this 10 ms, because a row is only looked at where an edge crosses it. It also fills one ring at
a time, and counts a pixel whose centre lies on a border to both neighbours; here it is in exactly one of them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(N, 2): x to the right and y down, in pixels; the first pixel covers 0 to 1 in both."""
Size = tuple[int, int]
"""Height and width."""
Stamp = tuple[tuple[slice, slice], NDArray[np.bool_]]
"""A box of the picture, and the pixels (h, w) in it that belong to a shape."""

FLAT: Final = 1e-30
"""An edge that goes down less passes between all rows, and its slope need not be finite."""
AT_ONCE: Final = 4_000_000
"""Crossings of edges and rows that are held at a time, so that a mad outline costs time but no memory."""


def filled(rings: Sequence[Points], size: Size) -> Stamp | None:
    """The pixels inside an odd number of the rings, so that a ring in a ring is a hole; None if there is none.

    Rings close by themselves; they may cross themselves and reach beyond the picture.
    """
    starts_N2 = np.concatenate(rings) if len(rings) > 1 else rings[0]
    ends_N2 = np.concatenate([ring[_next(len(ring))] for ring in rings])
    box = box_around(starts_N2.min(axis=0), starts_N2.max(axis=0), size)
    if box is None:
        return None
    (top, bottom), (left, right) = ((part.start, part.stop) for part in box)
    # One column more than the box: there ends what is inside up to its right border.
    changes = np.zeros((bottom - top, right - left + 1), np.uint8)
    upper, lower = _downwards(starts_N2, ends_N2)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), top, bottom).astype(np.int64)
    rows_N = np.clip(np.ceil(lower[:, 1] - 0.5), top, bottom).astype(np.int64) - first
    for edges in _portions(rows_N):
        count = rows_N[edges]
        row = _ranges(first[edges], count)
        start, slope = upper[edges], _slopes(upper[edges], lower[edges])
        x = np.repeat(start[:, 0], count) + (row + 0.5 - np.repeat(start[:, 1], count)) * np.repeat(slope, count)
        column = np.clip(np.ceil(x - 0.5), left, right).astype(np.int64)
        # Only odd or even matters, and 256 is even.
        np.add.at(changes.ravel(), (row - top) * changes.shape[1] + column - left, np.uint8(1))
    inside = np.cumsum(changes, axis=1, dtype=np.uint8)[:, :-1] & 1
    return box, inside.view(np.bool_)


def box_around(low: Points, high: Points, size: Size) -> tuple[slice, slice] | None:
    """The pixels whose centres lie between two corners (x, y), as rows and columns; None if there is none."""
    limits = np.array([size[1], size[0]])
    left, top = np.clip(np.ceil(low - 0.5), 0, limits).astype(int).tolist()
    right, bottom = np.clip(np.ceil(high - 0.5), 0, limits).astype(int).tolist()
    return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def centres(box: tuple[slice, slice]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The x (1, w) and the y (h, 1) of the centres of the pixels in a box."""
    rows, columns = box
    return np.arange(columns.start, columns.stop)[None] + 0.5, np.arange(rows.start, rows.stop)[:, None] + 0.5


def enclosed(ring: Points) -> float:
    """The area inside a ring that does not cross itself."""
    x, y = (ring - ring[0]).T
    following = _next(len(ring))
    return abs(float(x @ y[following] - y @ x[following])) / 2


def _next(n: int) -> NDArray[np.int64]:
    following = np.arange(1, n + 1)
    following[-1] = 0
    return following


def _downwards(starts_N2: Points, ends_N2: Points) -> tuple[Points, Points]:
    # Two neighbours walk along their common border in opposite directions, and must find the same crossings.
    turned = (starts_N2[:, 1] > ends_N2[:, 1])[:, None]
    return np.where(turned, ends_N2, starts_N2), np.where(turned, starts_N2, ends_N2)


def _slopes(upper_N2: Points, lower_N2: Points) -> NDArray[np.float64]:
    across, down = (lower_N2 - upper_N2).T
    return np.divide(across, down, out=np.zeros_like(down), where=down > FLAT)


def _portions(rows_N: NDArray[np.int64]) -> list[slice]:
    """The edges in portions that cross no more than `AT_ONCE` rows, or are one edge."""
    total = np.cumsum(rows_N)
    if total[-1] <= AT_ONCE:
        return [slice(0, len(rows_N))]
    cuts = np.searchsorted(total, np.arange(AT_ONCE, total[-1], AT_ONCE))
    borders = np.unique([0, *cuts, len(rows_N)]).tolist()
    return [slice(a, b) for a, b in pairwise(borders)]


def _ranges(first_N: NDArray[np.int64], count_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """first, first + 1 … of each edge, one after the other."""
    ends = np.cumsum(count_N)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(first_N - ends + count_N, count_N)
