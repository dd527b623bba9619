"""How many objects touch another one: whether it pays to learn where they come apart. H W the picture."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.learned_objects import WIDTH, borders
from maskwright.data.sample import Sample, Samples
from maskwright.data.shapes import LARGEST
from maskwright.records import Record

LOOKED_AT: Final = 32
"""Masks, evenly spread over the samples; how crowded they are differs more than how thin."""


class Touching(Record):
    """What some masks that tell objects apart show of them."""

    masks: int
    """Looked at."""
    objects: int
    """In those."""
    touching: float
    """Share of them with a pixel beside one of another object of their class, at a side or a corner: by classes alone
    the two are one."""
    border: float
    """Share of all pixels that are of an object and at most `learned_objects.WIDTH` from another one's."""
    classes: tuple[str, ...] = ()
    """Those that have an object, in order of label."""
    diameter: float
    """The median over objects of the diameter of a disc with as many pixels; 0 where there is none."""


def touching(samples: Samples, part: Sequence[Sample]) -> Touching | None:
    """What masks of the part show of objects that touch; None if not all of them tell objects apart."""
    if not part or samples.told_objects(part[0]) is None:
        return None
    sized = [sample for sample in part if sample.height * sample.width <= LARGEST]
    looked = sized[:: max(1, -(-len(sized) // LOOKED_AT))]
    beside, near, pixels = 0, 0, 0
    areas: list[int] = []
    found: set[int] = set()
    for sample in looked:
        if (objects_HW := samples.told_objects(sample)) is None:
            return None
        labels_HW = samples.labels_of(sample)
        own = np.unique(labels_HW[objects_HW > 0]).tolist()
        found.update(own)
        beside += len(np.unique(objects_HW[_seams(objects_HW, labels_HW, own)]))
        near += int(np.count_nonzero(borders(objects_HW, WIDTH)))
        pixels += objects_HW.size
        areas += np.bincount(objects_HW.ravel())[1:].tolist()
    return Touching(
        masks=len(looked),
        objects=len(areas),
        touching=round(beside / max(1, len(areas)), 4),
        classes=tuple(samples.labels.names[label] for label in samples.labels.foreground if label in found),
        border=float(f"{near / max(1, pixels):.3g}"),
        diameter=round(2 * sqrt(float(np.median(areas)) / np.pi), 2) if areas else 0.0,
    )


def _seams(objects_HW: NDArray[np.int32], labels_HW: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.bool_]:
    """The pixels beside another object of the same class, of these, H W."""
    own = (borders(np.where(labels_HW == label, objects_HW, 0), sqrt(2)) for label in labels)
    return np.logical_or.reduce([np.zeros(objects_HW.shape, bool), *own])
