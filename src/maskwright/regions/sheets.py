"""Sheets: pieces too large to be looked at at once, in windows that overlap. Shapes: h w a window."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from maskwright.regions.parting import Pieces
from maskwright.regions.runs import Numbers


@dataclass(frozen=True)
class View:
    """One window of a sheet."""

    rows: slice
    columns: slice
    zone: tuple[slice, slice]
    """What of the window is trusted: half of the way that it reaches beyond its core. Zones overlap."""
    cut: str
    """The sides (`t`, `b`, `l`, `r`) that cut through the sheet."""


def views(box: tuple[int, int, int, int], largest: int) -> Iterator[View]:
    """Windows of at most `largest` a side that cover a box; they overlap by a quarter."""
    reach = largest // 8
    side = largest - 2 * reach
    top, left, bottom, right = box
    for row in range(top, bottom, side):
        for column in range(left, right, side):
            rows, inner_rows = _around((row, min(row + side, bottom)), top, bottom, reach)
            columns, inner_columns = _around((column, min(column + side, right)), left, right, reach)
            beyond = (rows.start > top, rows.stop < bottom, columns.start > left, columns.stop < right)
            cut = "".join(name for name, more in zip("tblr", beyond, strict=True) if more)
            yield View(rows, columns, (inner_rows, inner_columns), cut)


def _around(core: tuple[int, int], low: int, high: int, reach: int) -> tuple[slice, slice]:
    """A stretch with what it reaches beyond, and what of that is trusted, counted from the first."""
    start, stop = max(low, core[0] - reach), min(high, core[1] + reach)
    trusted = max(low, core[0] - reach // 2), min(high, core[1] + reach // 2)
    return slice(start, stop), slice(trusted[0] - start, trusted[1] - start)


def matches(parts_hw: Pieces, known_hw: Pieces) -> Numbers:
    """The pairs (part, known object), P 2, that are one object, in the trusted zone of a window.

    They are if the part covers more than half of what the zone shows of the known one; and a part of which more than
    half was known goes with the object that has most of it.

    known_hw: numbers that windows before this gave; 0 where there was none.
    """
    both = (parts_hw > 0) & (known_hw > 0)
    pairs_P2, shared_P = np.unique(np.stack([parts_hw[both], known_hw[both]], axis=1), axis=0, return_counts=True)
    if not len(pairs_P2):
        return np.zeros((0, 2), np.int64)
    _, place = np.unique(pairs_P2[:, 1], return_inverse=True)
    size = np.bincount(place, weights=shared_P)
    same = 2 * shared_P > size[place]
    of_part = np.bincount(parts_hw[parts_hw > 0])
    covered = np.bincount(pairs_P2[:, 0], weights=shared_P, minlength=len(of_part))
    best = np.zeros(len(shared_P), bool)
    order = np.lexsort((-shared_P, pairs_P2[:, 0]))
    best[order[np.r_[True, np.diff(pairs_P2[order, 0]) > 0]]] = True
    mostly = 2 * covered[pairs_P2[:, 0]] > of_part[pairs_P2[:, 0]]
    return pairs_P2[same | (best & mostly)].astype(np.int64)
