"""How many objects touch another one: whether it pays to learn where they come apart."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

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
    """Share of them with a pixel beside one of another object, at a side or a corner."""
    border: float
    """Share of all pixels that are of an object and at most `learned_objects.WIDTH` from another one's."""
    diameter: float
    """The median over objects of the diameter of a disc with as many pixels; 0 where there is none."""


def touching(samples: Samples, part: Sequence[Sample]) -> Touching | None:
    """What masks of the part show of objects that touch; None if not all of them tell objects apart."""
    if not part or not all(sample.tells_objects for sample in part):
        return None
    sized = [sample for sample in part if sample.height * sample.width <= LARGEST]
    looked = sized[:: max(1, -(-len(sized) // LOOKED_AT))]
    beside, near, pixels = 0, 0, 0
    areas: list[int] = []
    for sample in looked:
        objects_HW = samples.objects_of(sample)
        assert objects_HW is not None, "the source says that it tells objects"
        beside += len(np.unique(objects_HW[borders(objects_HW, sqrt(2))]))
        near += int(np.count_nonzero(borders(objects_HW, WIDTH)))
        pixels += objects_HW.size
        areas += np.bincount(objects_HW.ravel())[1:].tolist()
    return Touching(
        masks=len(looked),
        objects=len(areas),
        touching=round(beside / max(1, len(areas)), 4),
        border=float(f"{near / max(1, pixels):.3g}"),
        diameter=round(2 * sqrt(float(np.median(areas)) / np.pi), 2) if areas else 0.0,
    )
