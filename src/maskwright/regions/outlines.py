"""Outlines of the things in a plane: exact, along the edges of pixels, by bands.

A vertex is where four pixels meet. At most of them nothing turns, and they are not looked at; the others are kept as
corners, each with the quarter it belongs to. Corners on one line of the grid are the ends of edges in turn, so two
sorted lists link every corner with the next. Memory grows with the number of corners, not with the picture.

What hangs together hangs together by sides, not by corners (4-connected), so that no ring crosses itself; where one
would touch itself it is parted in two. The polygons are those of the OGC's Simple Features, valid.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.files import Plane

Ring = NDArray[np.int32]
"""N 2: the corners (x, y) in turn, in pixels from the upper left corner of the picture; the last is not the first."""

BAND: Final = 2**22
"""Pixels that are looked at together."""

# Four kinds of corner may meet in a vertex, each a right or a left end of an edge with the thing above or below it. In
# this order, ends come before beginnings along rows and along columns alike.
_ABOVE_RIGHT, _ABOVE_LEFT, _BELOW_RIGHT, _BELOW_LEFT = range(4)
_HOLLOW: Final = 4  # the thing has three of the four pixels, and the corner points into it
_TOUCH: Final = 8  # another corner of the same value is here


@dataclass(frozen=True, eq=False)
class Outline:
    """One piece of a plane: pixels of one value that hang together by their sides."""

    value: int
    rings: tuple[Ring, ...]
    """The outer one, with the piece to its right as it is seen (clockwise, y down), then its holes the other way
    round. They touch in corners at most, and no corner lies on a straight line.
    """

    @property
    def area(self) -> int:
        """Pixels."""
        return sum(_area(ring) for ring in self.rings)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right; the last two are the first row and column outside."""
        (left, top), (right, bottom) = self.rings[0].min(axis=0).tolist(), self.rings[0].max(axis=0).tolist()
        return top, left, bottom, right


def outlines(plane: Plane, leave_out: Collection[int] = (), *, rows: int | None = None) -> list[Outline]:
    """The pieces of all values but those left out, in the order in which a reader meets their first pixel.

    Drawn back, pixels whose centres lie inside, they give the plane exactly; with rows, they are no others.
    rows: of a band; None: as many as `BAND` allows.
    """
    corners = _corners(plane, leave_out, rows or max(1, BAND // plane.shape[1]))
    if not len(corners.x):
        return []
    following, east = _linked(corners)
    order, starts = _cycles(corners, following)
    return _assembled(corners, following, east, order, starts)


@dataclass(frozen=True, eq=False)
class _Corners:
    """N corners, sorted by row, column and kind."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    kind: NDArray[np.uint8]
    value: NDArray[Any]
    hung: NDArray[np.int64]
    """Those that a hole may begin with, as places in the list."""
    reach: NDArray[np.int32]
    """For each of those: the column in which the run of pixels above it begins."""
    height: int

    @property
    def slot(self) -> NDArray[Any]:
        return self.kind & 3


def _corners(plane: Plane, leave_out: Collection[int], rows: int) -> _Corners:
    height, width = plane.shape
    outside, dtype = _outside(plane.dtype, leave_out)
    block_above, leave_out = np.full((1, width + 2), outside, dtype), {*leave_out, outside}
    found: list[tuple[NDArray[Any], ...]] = []
    count = 0
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        block = np.full((bottom - top + 1 + (bottom == height), width + 2), outside, dtype)
        block[0] = block_above
        block[1 : 1 + bottom - top, 1:-1] = plane.read(slice(top, bottom), slice(0, width))
        block_above = block[bottom - top].copy()
        part = _of_band(block, top, leave_out, count)
        count += len(part[0])
        found.append(part)
    x, y, kind, value, hung, reach = (np.concatenate(column) for column in zip(*found, strict=True))
    return _Corners(x, y, kind, value, hung, reach, height)


def _outside(dtype: "np.dtype[Any]", leave_out: Collection[int]) -> tuple[int, "np.dtype[Any]"]:
    """What is around the picture: a value that is left out anyway, else one that no pixel can have."""
    if dtype == np.bool_:
        dtype = np.dtype(np.uint8)
    if fitting := [value for value in leave_out if np.iinfo(dtype).min <= value <= np.iinfo(dtype).max]:
        return min(fitting), dtype
    return int(np.iinfo(dtype).min) - 1, np.dtype(np.int16 if dtype.itemsize == 1 else np.int64)


def _of_band(block: NDArray[Any], top: int, leave_out: Collection[int], before: int) -> tuple[NDArray[Any], ...]:
    """The corners at the vertices between the rows of a block with a border; x, y, kind, value, hung, reach.

    top: the row of the first vertices. before: how many corners there were.
    """
    wide = block.shape[1]
    across = block[:, 1:] != block[:, :-1]
    down = block[1:] != block[:-1]
    turning = (across[:-1] | across[1:]) & (down[:, :-1] | down[:, 1:])
    at = np.flatnonzero(turning)
    row = at // (wide - 1)
    flat, base = block.ravel(), at + row
    nw, ne, sw, se = (flat[base + step] for step in (0, 1, wide, wide + 1))
    n, s, w, e = nw != ne, sw != se, nw != sw, ne != se
    # Two pixels of one thing that only touch are its corners both; three are a corner that points into it.
    full = (n & w, n & e, s & w, s & e)
    hollow = (~n & ~w & (se != nw), ~n & ~e & (sw != ne), ~s & ~w & (ne != sw), ~s & ~e & (nw != se))
    (c_nw, c_ne, c_sw, c_se), (h_nw, h_ne, h_sw, h_se) = full, hollow
    slots = np.empty((len(at), 4), np.bool_)
    values = np.empty((len(at), 4), block.dtype)
    kinds = np.empty((len(at), 4), np.uint8)
    pairs = (
        (_ABOVE_RIGHT, c_nw, nw, h_ne, ne, se), (_ABOVE_LEFT, c_ne, ne, h_nw, nw, sw),
        (_BELOW_RIGHT, c_sw, sw, h_se, se, ne), (_BELOW_LEFT, c_se, se, h_sw, sw, nw),
    )  # fmt: skip
    for slot, is_full, own, is_hollow, other, opposite in pairs:
        slots[:, slot] = is_full | is_hollow
        values[:, slot] = np.where(is_full, own, other)
        kinds[:, slot] = slot + _HOLLOW * is_hollow + _TOUCH * (is_full & (own == opposite))
    for value in leave_out:
        slots &= values != value
    places = np.flatnonzero(slots)
    vertex = places >> 2
    kind = kinds.ravel()[places]
    x = (at - row * (wide - 1))[vertex].astype(np.int32)
    y = (row[vertex] + top).astype(np.int32)
    hung = np.flatnonzero(kind == _ABOVE_LEFT + _HOLLOW)
    reach = np.zeros(0, np.int32)
    if len(hung):
        changes = np.flatnonzero(across[:-1])
        last = changes[np.searchsorted(changes, at[vertex[hung]], side="right") - 1]
        reach = (last - row[vertex[hung]] * (wide - 1)).astype(np.int32)
    return x, y, kind, values.ravel()[places], hung + before, reach


def _linked(corners: _Corners) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The corner that follows each; and the upper and lower ends of all edges with their thing to the right."""
    following = np.empty(len(corners.x), np.int64)
    slot, hollow = corners.slot, corners.kind & _HOLLOW != 0
    below = np.flatnonzero(slot >= _BELOW_RIGHT)
    following[below[0::2]] = below[1::2]
    above = np.flatnonzero(slot < _BELOW_RIGHT)
    following[above[1::2]] = above[0::2]
    # East: the thing is to the right of the edge below or above the corner.
    is_east = ((slot == _ABOVE_LEFT) | (slot == _BELOW_LEFT)) ^ hollow
    x = corners.x.astype(np.uint16) if corners.x.max() < 2**16 else corners.x  # sorted by its digits
    by_column = np.argsort(x, kind="stable")
    of_east = is_east[by_column]
    east, west = by_column[of_east], by_column[~of_east]
    following[east[1::2]] = east[0::2]
    following[west[0::2]] = west[1::2]
    return following, (east[0::2], east[1::2])


def _cycles(corners: _Corners, following: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
    """Every second corner, from each of which an edge goes along a row, ring after ring; and where each begins.

    A walk in plain Python, 0.1 µs a corner: doubling pointers in NumPy takes ten times as long on long rings.
    """
    slot = corners.slot
    leaving = np.flatnonzero((slot == _ABOVE_RIGHT) | (slot == _BELOW_LEFT))
    number = np.empty(len(slot), np.int64)
    number[leaving] = np.arange(len(leaving))
    after = number[following[following[leaving]]].tolist()
    order: list[int] = []
    starts: list[int] = []
    for first, unseen in enumerate(after):
        if unseen < 0:
            continue
        starts.append(len(order))
        place = first
        while (then := after[place]) >= 0:
            order.append(place)
            after[place] = -1
            place = then
    return leaving[np.array(order, np.int64)], starts


def _assembled(
    corners: _Corners,
    following: NDArray[np.int64],
    east: tuple[NDArray[np.int64], NDArray[np.int64]],
    order: NDArray[np.int64],
    starts: list[int],
) -> list[Outline]:
    partner, ends = following[order], [*starts[1:], len(order)]
    ring_of = np.empty(len(corners.x), np.int64)
    ring_of[order] = ring_of[partner] = np.repeat(np.arange(len(starts)), np.subtract(ends, starts))
    # Clockwise rings go to the right above what they enclose.
    across = corners.x[order].astype(np.int64) - corners.x[partner]
    holes = np.flatnonzero(np.add.reduceat(corners.y[order] * across, starts) < 0)
    parents = list(range(len(starts)))
    first = following[order[np.array(starts)[holes]]]
    for hole, other in zip(holes.tolist(), _beside(corners, first, east, ring_of), strict=True):
        parents[hole] = parents[other]  # it begins further up, so its own is known
    chain = np.column_stack([order, partner]).ravel()
    points = np.column_stack([corners.x[chain], corners.y[chain]])
    touching = _touching(corners, ring_of)
    values = corners.value[order[starts]].tolist()
    rings: dict[int, list[Ring]] = {}
    for number, (start, end, parent) in enumerate(zip(starts, ends, parents, strict=True)):
        ring = points[2 * start : 2 * end]
        rings.setdefault(parent, []).extend(_parted(ring) if number in touching else [ring])
    return [Outline(int(values[number]), tuple(parts)) for number, parts in rings.items()]


def _beside(
    corners: _Corners,
    first: NDArray[np.int64],
    east: tuple[NDArray[np.int64], NDArray[np.int64]],
    ring_of: NDArray[np.int64],
) -> list[int]:
    """A ring of the same piece for each hole that begins with these corners: the outer one, or another hole.

    Over the corner the piece has a pixel; where the run of that pixel begins on the left, stands an edge of the ring.
    """
    column = corners.reach[np.searchsorted(corners.hung, first)].astype(np.int64)
    upper, tall = east[0], corners.height + 1
    keys = corners.x[upper].astype(np.int64) * tall + corners.y[upper]
    edge = np.searchsorted(keys, column * tall + corners.y[first] - 1, side="right") - 1
    found: list[int] = ring_of[upper[edge]].tolist()
    return found


def _touching(corners: _Corners, ring_of: NDArray[np.int64]) -> set[int]:
    """The rings that touch themselves: two of their corners are in one vertex."""
    found: set[int] = set()
    for one, other in ((_ABOVE_RIGHT, _BELOW_LEFT), (_ABOVE_LEFT, _BELOW_RIGHT)):
        here, there = (ring_of[corners.kind == slot + _TOUCH] for slot in (one, other))
        found.update(here[here == there].tolist())
    return found


def _parted(ring: Ring) -> list[Ring]:
    """The rings that touch where this one touches itself; the one with its first corner is the first."""
    found: list[Ring] = []
    stack: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for point in map(tuple, ring.tolist()):
        if (start := place.get(point, -1)) >= 0:
            found.append(np.array(stack[start:], np.int32))
            for other in stack[start:]:
                del place[other]
            del stack[start:]
        place[point] = len(stack)
        stack.append(point)
    return [np.array(stack, np.int32), *found]


def _area(ring: NDArray[Any]) -> int:
    x, y = ring.astype(np.int64).T
    return int(x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0]) // 2


def column_runs(rings: Sequence[Ring], height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels inside as runs down the columns: where each starts, counted from 0, and how long it is.

    rings: exact ones, of pieces that do not overlap. height: of the picture; runs go on from one column to the next.
    """
    if not rings:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts_N2 = np.concatenate(rings).astype(np.int64)
    ends_N2 = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings]).astype(np.int64)
    flat = starts_N2[:, 1] == ends_N2[:, 1]
    left = np.minimum(starts_N2[flat, 0], ends_N2[flat, 0])
    lengths = np.abs(starts_N2[flat, 0] - ends_N2[flat, 0])
    total = np.cumsum(lengths)
    columns = np.arange(total[-1]) + np.repeat(left - total + lengths, lengths)
    # Down a column, edges let one in and out in turn. The row below the picture is no row of the next column.
    crossings = np.sort(columns * (height + 1) + np.repeat(starts_N2[flat, 1], lengths))
    column, row = np.divmod(crossings, height + 1)
    places = column * height + row
    starts, ends = places[0::2], places[1::2]
    fresh = np.concatenate([[True], starts[1:] != ends[:-1]])
    starts, ends = starts[fresh], ends[np.concatenate([fresh[1:], [True]])]
    return starts, ends - starts


def simplified(outline: Outline, tolerance: float) -> tuple[NDArray[np.float64], ...]:
    """The rings with fewer corners, none further than `tolerance` pixels from where it was (Douglas and Peucker 1973).

    Each is simplified by itself, so neighbours may overlap or leave gaps, by as much. A ring that would enclose
    nothing is left out; an outer one stays as it is.
    """
    from skimage.measure import approximate_polygon

    found = []
    for ring in outline.rings:
        closed = np.concatenate([ring, ring[:1]]).astype(np.float64)
        fewer = approximate_polygon(closed, tolerance)[:-1]
        if len(fewer) >= 3:
            found.append(fewer)
        elif ring is outline.rings[0]:
            found.append(closed[:-1])
    return tuple(found)
