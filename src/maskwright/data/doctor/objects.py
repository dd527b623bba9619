"""Objects that are no objects: one number for several, and specks of a few pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.data.doctor.evidence import names, said, spread
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.sources import sources
from maskwright.data.survey import Survey
from maskwright.errors import MaskwrightError

LOOKED: Final = 500
PIXELS: Final = 300_000_000
"""Masks that are opened again, evenly spread, and how many pixels they may have together."""
SPECK: Final = 4
"""Pixels up to which an object is a slip of the pen, where the usual one is ten times as large."""
APART: Final = 1.0
"""Pieces of one object farther apart than the larger one is long are two objects. Nearer ones may be one that is partly
covered."""
SMALL: Final = 0.2
"""Of the larger piece: what is smaller is a splinter."""


@dataclass(frozen=True)
class Odd:
    """What is odd about the objects of one mask."""

    sample: Sample
    objects: int
    parted: int
    """Objects in several pieces that lie far apart."""
    specks: int


class Objects:
    """Numbers that stand for several objects, and objects of a few pixels, where masks tell objects apart."""

    quick = False

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Repeated numbers, then specks."""
        telling = [one.sample for one in survey.measured if one.sample.numbers_objects]
        looked = spread(telling, LOOKED, PIXELS)
        table = survey.samples.table if survey.samples else {}
        odd = []
        for sample in looked:
            try:
                objects_HW = sources[sample.source].objects(sample.place(survey.root, table))
            except MaskwrightError:  # it changed since it was surveyed; the next survey tells
                continue
            if objects_HW is not None:
                odd.append(examined(sample, objects_HW))
        scope = f"looked at {len(looked):,} of {said(len(telling), 'mask')} with objects"
        if parted := [one for one in odd if one.parted]:
            yield _repeated(parted, scope)
        if specked := [one for one in odd if one.specks]:
            yield _specks(specked, scope)


def examined(sample: Sample, objects_HW: NDArray[np.int32]) -> Odd:
    """The objects of a mask that are in several places, or next to nothing."""
    sizes = np.bincount(objects_HW.ravel())[1:]
    present = sizes[sizes > 0]
    specks = int((present <= SPECK).sum()) if len(present) and np.median(present) > 10 * SPECK else 0
    parted = sum(
        _parted(objects_HW[box] == number)
        for number, box in enumerate(ndimage.find_objects(objects_HW), start=1)
        if box is not None
    )
    return Odd(sample, len(present), parted, specks)


def _parted(object_hw: NDArray[np.bool_]) -> bool:
    """Whether an object lies in two large pieces that are farther apart than the larger one is long."""
    pieces_hw, count = ndimage.label(object_hw, np.ones((3, 3)))
    if count < 2:
        return False
    sizes = np.bincount(pieces_hw.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    box = ndimage.find_objects((pieces_hw == largest).astype(np.uint8))[0]
    length = max(side.stop - side.start for side in box)
    distance_hw = ndimage.distance_transform_edt(pieces_hw != largest)
    far = [
        piece
        for piece in np.flatnonzero(sizes > max(SPECK, SMALL * sizes[largest]))
        if piece != largest and distance_hw[pieces_hw == piece].min() > APART * length
    ]
    return bool(far)


def _repeated(odd: list[Odd], scope: str) -> Finding:
    return Finding(
        code="repeated-ids",
        severity="warning",
        title=f"{said(sum(one.parted for one in odd), 'object lies', 'objects lie')} in several places far apart, in "
        f"{said(len(odd), 'mask')}",
        files=tuple(one.sample.mask or "" for one in odd),
        why="One number was given to several objects (counting began anew, or numbers ran out): they are scored, and "
        "parted from their neighbours, as if they were one.",
        remedy="Number connected pieces anew; if objects need not be told apart, save the masks as 0 and 255.",
        pictures=names(one.sample for one in odd),
        details=(scope, *(f"{one.sample.mask}: {one.parted} of {said(one.objects, 'object')}" for one in odd)),
    )


def _specks(odd: list[Odd], scope: str) -> Finding:
    return Finding(
        code="specks",
        severity="note",
        title=f"{said(sum(one.specks for one in odd), 'object has', 'objects have')} {SPECK} pixels or less, in "
        f"{said(len(odd), 'mask')}",
        files=tuple(one.sample.mask or "" for one in odd),
        why="Slips of the pen, most likely; each counts as an object that was missed.",
        remedy="Erase them, if they are none.",
        pictures=names(one.sample for one in odd),
        details=(scope, *(f"{one.sample.mask}: {one.specks} of {said(one.objects, 'object')}" for one in odd)),
    )


checks.register("objects")(Objects())
