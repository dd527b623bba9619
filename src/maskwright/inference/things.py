"""The things in a result, with their outlines: its objects, or the pieces of its classes. H W the image, N things."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from maskwright.inference.result import Result
from maskwright.records import IGNORED
from maskwright.regions import Objects
from maskwright.regions.outlines import Outline, outlines

BAND = 2**22
"""Pixels of a band."""


@dataclass(frozen=True, eq=False)
class Thing:
    """One object, or one piece of a class."""

    number: int
    """From 1."""
    label: int
    outlines: tuple[Outline, ...]
    """Pieces of an object that hang together by corners only are apart here."""
    score: float | None = None
    """The mean of its class's probability over its pixels, if that is known."""

    @property
    def area(self) -> int:
        """Pixels."""
        return sum(outline.area for outline in self.outlines)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right; the last two are the first outside."""
        top, left, bottom, right = zip(*(outline.box for outline in self.outlines), strict=True)
        return min(top), min(left), max(bottom), max(right)

    @property
    def has_holes(self) -> bool:
        """Whether something is inside that does not belong to it."""
        return any(len(outline.rings) > 1 for outline in self.outlines)


def things(result: Result) -> Iterator[Thing]:
    """The objects, where the result has some, in their order; else the pieces of all classes but the background and
    what counts nowhere, in the order in which a reader meets their first pixel.
    """
    if result.objects is None:
        background = result.classes.background
        left_out = {IGNORED} if background is None else {IGNORED, background}
        for number, outline in enumerate(outlines(result.labels, left_out), start=1):
            yield Thing(number, outline.value, (outline,))
        return
    objects, scores = result.objects, _scores(result, result.objects)
    found = sorted(outlines(objects.ids, {0}), key=lambda outline: outline.value)
    for number, parts in groupby(found, key=lambda outline: outline.value):
        score = None if scores is None else float(scores[number - 1])
        yield Thing(number, int(objects.labels[number - 1]), tuple(parts), score)


def _scores(result: Result, objects: Objects) -> NDArray[np.float64] | None:
    """The mean of each object's own class's probability, N."""
    if result.probabilities is None:
        return None
    height, width = objects.ids.shape
    label_of = np.concatenate([[IGNORED], objects.labels])
    sums = np.zeros(len(label_of))
    step = max(1, BAND // width)
    for top in range(0, height, step):
        window = slice(top, min(height, top + step)), slice(0, width)
        ids_hw = objects.ids.read(*window)
        labels_hw = label_of[ids_hw]
        for label in np.unique(objects.labels).tolist():
            inside = labels_hw == label
            if inside.any():
                chances = result.probabilities[label].read(*window)[inside]
                sums += np.bincount(ids_hw[inside], chances, len(sums))
    return sums[1:] / objects.areas
