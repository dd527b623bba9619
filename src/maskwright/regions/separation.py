"""Separation: objects that touch come apart. Shapes: H W the picture, h w a window, N pieces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from maskwright.errors import SettingError
from maskwright.files import MemoryPlane, Plane
from maskwright.records import Record
from maskwright.regions.components import number, renumber
from maskwright.regions.fragments import Fragments, Joined
from maskwright.regions.objects import Objects
from maskwright.regions.parting import Pieces, by_distance, by_seeds
from maskwright.regions.runs import Numbers, extents, runs_of
from maskwright.regions.scratch import Scratch, in_memory, table_of
from maskwright.regions.sheets import matches, views

BLOCK: Final = 1024
"""Pieces that begin in one square of this side come apart together, which spares a call each; so a window of twice the
side must fit into memory, at some sixty bytes a pixel. Larger pieces are looked at alone."""
LARGEST: Final = 2048
"""Side of the windows in which a piece comes apart whose box is larger than such a square."""

How = Literal["none", "distance", "border", "centre"]


class Separation(Record):
    """How objects that touch are told apart."""

    how: How = "none"
    """`none`: each connected piece is an object. `distance`: pieces fall apart at their necks. `border`: the network
    has learned a class of the pixels between touching objects. `centre`: it has learned their middles."""
    neck: float = Field(0.85, gt=0, le=1, allow_inf_nan=False)
    """distance: two parts are two objects where the neck between them is narrower than this share of the smaller one.
    Less parts fewer."""
    depth: float = Field(1.0, ge=0, allow_inf_nan=False)
    """distance: … and by this many pixels in half width at least, which the jags of small objects never are."""
    smallest: int = Field(1, ge=1)
    """Objects of fewer pixels are left out."""


def separate(
    labels: Plane,
    *,
    classes: Sequence[int],
    settings: Separation = Separation(),  # noqa: B008 - frozen
    marks: Mapping[int, int] = MappingProxyType({}),
    scratch: Scratch = in_memory,
) -> Objects:
    """The objects in a plane of labels, touching ones apart.

    Each connected piece (pixels that share sides, of one class or of those with marks) comes apart by itself, so that
    the result is that of the whole picture at once, in bounded memory. A piece whose box holds more than `LARGEST`²
    pixels, a sheet of cells say, is seen in overlapping windows: what two of them show at the same place, by more than
    half of what is known of it, is one object. Objects smaller than a sixteenth of a window come out as from the whole.

    labels: H W uint8.
    classes: the labels whose objects are wanted.
    marks: for `border` and `centre`, the labels in the plane of what was learned, each with the class, of `classes`,
        that such a pixel is likeliest of. The objects of these classes are parted by it, all together; the others'
        connected pieces are objects. An object's class is that of most of its pixels that are not marked; where all
        are, of most of all.

    Raises:
        SettingError: `border` or `centre` without its label.
        DataError: there are more objects than int32 can number.
    """
    groups = _groups(classes, settings, marks)
    ids = scratch(labels.shape, "int32")
    whole = settings.how == "none"
    pieces = number(labels, ids, groups, connectivity=1, smallest=settings.smallest if whole else 1)
    if not whole:
        pieces = _Parting(labels, ids, pieces, settings, marks).done()
    return Objects(ids, pieces.labels, pieces.boxes, pieces.areas)


def separated(
    labels_HW: NDArray[np.uint8],
    *,
    classes: Sequence[int],
    settings: Separation = Separation(),  # noqa: B008 - frozen
    marks: Mapping[int, int] = MappingProxyType({}),
) -> NDArray[np.int32]:
    """The numbers of `separate` for labels in memory, H W."""
    found = separate(MemoryPlane(labels_HW), classes=classes, settings=settings, marks=marks)
    return np.asarray(found.ids.read(slice(0, labels_HW.shape[0]), slice(0, labels_HW.shape[1])), np.int32)


def _groups(classes: Sequence[int], settings: Separation, marks: Mapping[int, int]) -> Mapping[int, int]:
    """Label → the label as whose piece it counts."""
    if settings.how in ("none", "distance"):
        return {label: label for label in classes}
    if not marks:
        raise SettingError(
            f"To part objects by their {settings.how}, the network must have learned one. Train with it, or part them "
            "by `distance`, which needs no training."
        )
    first = next(iter(marks.values()))
    return {label: label for label in classes} | dict.fromkeys((*marks.values(), *marks), first)


@dataclass
class _Window:
    """A part of the picture, and the pieces that are looked at in it."""

    rows: slice
    columns: slice
    pieces: Numbers


class _Parting:
    """Pieces that were numbered come apart, where they do; their parts have the numbers behind those of all pieces."""

    def __init__(self, labels: Plane, ids: Plane, pieces: Joined, settings: Separation, marks: Mapping[int, int]):
        self.labels, self.ids, self.settings, self.marks = labels, ids, settings, marks
        self.boxes, self.tags, self.count = pieces.boxes, pieces.labels.astype(np.int64), len(pieces.areas)
        self.parts = Fragments()
        self.parts.add(self.tags, pieces.boxes, pieces.areas, pieces.firsts)
        self.gone = np.zeros(self.count + 1, bool)
        self.block = np.full(self.count + 2, -1)  # by number; the last is for all that are parts already

    def done(self) -> Joined:
        """All objects, in order, and the plane numbered by them."""
        sizes = self.boxes[:, 2:] - self.boxes[:, :2]
        parted = list(self.marks.values())
        wanted = np.isin(self.tags, parted) if parted else np.ones(self.count, bool)
        small = (sizes <= BLOCK).all(axis=1)
        for window in _blocks(self.boxes, np.flatnonzero(wanted & small), self.block):
            self._part(window)
        for piece in np.flatnonzero(wanted & ~small).tolist():
            top, left, bottom, right = self.boxes[piece].tolist()
            self.block[piece + 1] = piece
            if (bottom - top) * (right - left) <= LARGEST**2:
                self._part(_Window(slice(top, bottom), slice(left, right), np.array([piece])))
            else:
                self._part_in_windows(piece)
        gone = np.concatenate([self.gone, np.zeros(self.parts.count - self.count, bool)])
        joined = self.parts.joined(self.settings.smallest, gone)
        if not np.array_equal(joined.numbers, np.arange(len(joined.numbers))):
            renumber(self.ids, joined.numbers)
        return joined

    def _part(self, window: _Window) -> None:
        """Pieces that a window shows whole."""
        ids_hw, mine_hw = self._mine(window)
        labels_hw = self.labels.read(window.rows, window.columns)
        parts_hw = np.zeros(ids_hw.shape, np.int32)
        for tag in np.unique(self.tags[window.pieces]).tolist():  # pieces of two classes may touch
            own = mine_hw & (self.tags[np.minimum(ids_hw, self.count) - 1] == tag)
            found = self._parts_of(np.where(own, ids_hw, 0), labels_hw, "")
            parts_hw += np.where(found, found + parts_hw.max(initial=0), 0)
        self._note(window, ids_hw, labels_hw, parts_hw)

    def _mine(self, window: _Window) -> tuple[Pieces, NDArray[np.bool_]]:
        """The numbers in a window, and where its own pieces are."""
        ids_hw = self.ids.read(window.rows, window.columns)
        mine_hw = self.block[np.minimum(ids_hw, self.count + 1)] == self.block[window.pieces[0] + 1]
        return ids_hw, mine_hw

    def _parts_of(self, pieces_hw: Pieces, labels_hw: NDArray[np.uint8], cut: str) -> Pieces:
        if self.settings.how == "distance":
            return by_distance(pieces_hw, self.settings.neck, self.settings.depth, cut)
        seeds = self.marks.values() if self.settings.how == "border" else self.marks
        return by_seeds(pieces_hw, table_of(dict.fromkeys(seeds, 1))[labels_hw])

    def _labels_of(self, parts_hw: Pieces, labels_hw: NDArray[np.uint8], tags_N: Numbers) -> Numbers:
        """The label of each part: its piece's, or that of which it has most pixels, marked ones counting last."""
        if len(self.marks) < 2:
            return tags_N
        plain, marked = (
            np.array([np.bincount(parts_hw[labels_hw == label], minlength=len(tags_N) + 1)[1:] for label in labels])
            for labels in (self.marks.values(), self.marks)
        )
        most = np.argmax(plain * (parts_hw.size + 1) + marked, axis=0)
        return np.array(list(self.marks.values()), np.int64)[most]

    def _note(self, window: _Window, ids_hw: Pieces, labels_hw: NDArray[np.uint8], parts_hw: Pieces) -> None:
        """Write the parts of the pieces that have several, or another label than their piece."""
        piece_M = _first_of(parts_hw, ids_hw)
        labels_M = self._labels_of(parts_hw, labels_hw, self.tags[piece_M - 1])
        _, place_M, counts = np.unique(piece_M, return_inverse=True, return_counts=True)
        several_M = counts[place_M] > 1
        new = np.flatnonzero(several_M | (labels_M != self.tags[piece_M - 1]))
        if len(new):
            self.gone[piece_M[new]] = True
            self._write(window, ids_hw, parts_hw, new, labels_M)

    def _write(
        self, window: _Window, ids_hw: Pieces, parts_hw: Pieces, new: Numbers, labels_M: Numbers
    ) -> NDArray[np.int32]:
        """Give the parts at the places `new` numbers of their own; returns the numbers by part."""
        found = extents(runs := runs_of(parts_hw), len(labels_M))
        top, left = window.rows.start, window.columns.start
        firsts = (top + runs.rows[found.firsts]) * self.ids.shape[1] + left + runs.starts[found.firsts]
        boxes = found.boxes + np.array([top, left, top, left])
        before = self.parts.add(labels_M[new], boxes[new], found.areas[new], firsts[new])
        numbers = np.zeros(len(labels_M) + 1, np.int32)
        numbers[new + 1] = before + 1 + np.arange(len(new))
        renamed_hw = numbers[parts_hw]
        self.ids.write(window.rows, window.columns, np.where(renamed_hw, renamed_hw, ids_hw))
        return numbers

    def _part_in_windows(self, piece: int) -> None:
        """A piece that is too large to be looked at at once."""
        self.gone[piece + 1] = True
        before, (top, left, bottom, right) = self.parts.count, self.boxes[piece].tolist()
        for view in views((top, left, bottom, right), LARGEST):
            ids_hw = self.ids.read(view.rows, view.columns)
            sheet_hw = np.where((ids_hw == piece + 1) | (ids_hw > before), np.int32(1), np.int32(0))
            labels_hw = self.labels.read(view.rows, view.columns)
            parts_hw = self._parts_of(sheet_hw, labels_hw, view.cut)[view.zone]
            known_hw, labels_hw = np.where(ids_hw > before, ids_hw, 0)[view.zone], labels_hw[view.zone]
            count = int(parts_hw.max(initial=0))
            labels_M = self._labels_of(parts_hw, labels_hw, np.full(count, self.tags[piece]))
            pairs = matches(parts_hw, known_hw)
            fresh_hw = np.where(known_hw > 0, 0, parts_hw)
            new = np.flatnonzero(np.bincount(fresh_hw.ravel(), minlength=count + 1)[1:])
            if not len(new):
                continue
            zone = _Window(_inside(view.rows, view.zone[0]), _inside(view.columns, view.zone[1]), np.array([piece]))
            numbers = self._write(zone, ids_hw[view.zone], fresh_hw, new, labels_M)
            pairs[:, 0] = numbers[pairs[:, 0]]
            self.parts.join(pairs[pairs[:, 0] > 0])


def _blocks(boxes_N4: Numbers, wanted: Numbers, block: Numbers) -> Iterator[_Window]:
    """The wanted pieces by the square of `BLOCK` in which they begin, each with the window that shows them whole.

    block: by number, where each piece's square is noted.
    """
    if not len(wanted):
        return
    squares = boxes_N4[wanted, :2] // BLOCK
    square = squares[:, 0] * (int(squares[:, 1].max()) + 1) + squares[:, 1]
    order = np.argsort(square, kind="stable")
    for pieces in np.split(wanted[order], np.flatnonzero(np.diff(square[order])) + 1):
        block[pieces + 1] = pieces[0]
        top, left = boxes_N4[pieces, :2].min(axis=0).tolist()
        bottom, right = boxes_N4[pieces, 2:].max(axis=0).tolist()
        yield _Window(slice(top, bottom), slice(left, right), pieces)


def _first_of(parts_hw: Pieces, ids_hw: Pieces) -> Numbers:
    """The number under each part 1 … M; it is the same under all its pixels."""
    out_M = np.zeros(int(parts_hw.max(initial=0)), np.int64)
    runs = runs_of(parts_hw)
    out_M[runs.values - 1] = ids_hw[runs.rows, runs.starts]
    return out_M


def _inside(outer: slice, inner: slice) -> slice:
    """A stretch of a stretch, counted from the picture's edge."""
    return slice(outer.start + inner.start, outer.start + inner.stop)
