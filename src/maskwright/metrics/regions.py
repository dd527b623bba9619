"""What the metrics of images share: foreground, its pieces, thresholds, and how two sets of regions overlap.

Foreground is every label above 0, so in ISBI-2012 label 1 has to be the cells and label 0 the membranes between them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.metrics.registry import ImageResult
from maskwright.records import IGNORED

Mask = NDArray[np.bool_]
Regions = NDArray[np.integer]
"""H W, the number of each pixel's region; 0 for none."""

THRESHOLDS: Final = tuple(k / 10 for k in range(10))
"""0.0 to 0.9 in steps of 0.1: those of ISBI-2012. At 1.0 nothing would be foreground."""
FOUR: Final = ndimage.generate_binary_structure(2, 1)
"""Neighbours share a side."""
EIGHT: Final = ndimage.generate_binary_structure(2, 2)
"""Neighbours share a side or a corner."""


def counted(result: ImageResult) -> Mask:
    """The pixels that are not ignored, H W."""
    return result.true_HW != IGNORED


def true_foreground(result: ImageResult) -> Mask:
    """The pixels that are foreground in truth, H W; ignored ones are not."""
    return (result.true_HW > 0) & counted(result)


def foreground_share(result: ImageResult) -> NDArray[np.floating]:
    """The probability of foreground, H W; 0 or 1 by the labels if there are no probabilities."""
    if result.probabilities_KHW is None:
        return (result.labels_HW > 0).astype(np.float32)
    return result.probabilities_KHW[1:].sum(axis=0)


def cuts(result: ImageResult) -> Iterator[tuple[float, Mask]]:
    """Each threshold with the pixels predicted above it, H W; only one where there are no probabilities."""
    share_HW = foreground_share(result)
    for threshold in THRESHOLDS if result.probabilities_KHW is not None else (0.5,):
        yield threshold, share_HW > threshold


def pieces(mask_HW: Mask, connectivity: NDArray[np.bool_] = FOUR) -> Regions:
    """The connected pieces of a mask, numbered from 1."""
    return ndimage.label(mask_HW, connectivity)[0]


def objects_of(result: ImageResult) -> tuple[Regions, Regions]:
    """The true and the predicted objects, H W each, without the pixels that are ignored in truth: those that are
    numbered, else the 8-connected pieces of each class.

    Where true objects are numbered, pixels of a class may be of none: sky, or a crowd. What is predicted there is left
    out: objects with more than half of their pixels on such, and those of a class that the image shows, but no object.
    """
    there = counted(result)
    found_HW = found_objects(result) * there
    if result.objects_HW is None:
        return pieces_by_class(np.where(there, result.true_HW, 0)), found_HW
    true_HW = result.objects_HW * there
    free_HW = true_foreground(result) & (true_HW == 0)
    if free_HW.any():
        sizes, free = (
            np.bincount(found_HW.ravel(), minlength=int(found_HW.max(initial=0)) + 1, weights=weights)
            for weights in (None, free_HW.ravel())
        )
        shown = np.setdiff1d(result.true_HW[free_HW], result.true_HW[true_HW > 0])
        uncounted = (2 * free > sizes) | np.isin(classes_of(found_HW, result.labels_HW), shown)
        found_HW = np.where(uncounted[found_HW], 0, found_HW)
    return true_HW, found_HW


def found_objects(result: ImageResult) -> Regions:
    """The predicted objects, H W, on ignored pixels too."""
    return pieces_by_class(result.labels_HW) if result.found_HW is None else result.found_HW


def pieces_by_class(labels_HW: NDArray[np.uint8]) -> Regions:
    """The 8-connected pieces of each label above 0, numbered from 1."""
    out_HW = np.zeros(labels_HW.shape, np.int64)
    for label in np.unique(labels_HW[labels_HW > 0]).tolist():
        own_HW = pieces(labels_HW == label, EIGHT)
        out_HW += np.where(own_HW > 0, own_HW + out_HW.max(initial=0), 0)
    return out_HW


def classes_of(objects_HW: Regions, labels_HW: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The label of each object 0 … N: that of most of its pixels, other than 0 if it has any."""
    numbers, labels, pixels = overlaps(objects_HW, labels_HW)
    order = np.lexsort((pixels, labels > 0, numbers))  # of each number the last one stays
    out = np.zeros(int(objects_HW.max(initial=0)) + 1, np.int64)
    out[numbers[order]] = labels[order]
    return out


class Overlaps(NamedTuple):
    """The pairs of regions that share pixels: N numbers each."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    pixels: NDArray[np.int64]


def overlaps(first: Regions, second: Regions) -> Overlaps:
    """How many pixels each region of one map shares with each of the other, region 0 included; shapes alike, any."""
    # Pairs are counted as they occur: a table of all of them would burst on a noisy prediction.
    width = int(second.max(initial=0)) + 1
    pairs, pixels = np.unique(first.ravel().astype(np.int64) * width + second.ravel(), return_counts=True)
    return Overlaps(pairs // width, pairs % width, pixels)
