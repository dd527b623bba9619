"""The border weights of the 2015 paper: high on the thin strips that keep objects apart.

Ronneberger et al. 2015, arXiv 1505.04597, equation 2. Pictures are H W here; volumes D H W are taken alike.
"""

from itertools import count
from math import ceil, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected

from maskwright.errors import SettingError
from maskwright.records import IGNORED

FAINT = 1e-3
"""Of `w0`: a border term below this is 0, so that an object is only looked at where it matters."""


def objects_of(labels_HW: NDArray[np.integer]) -> NDArray[np.int32]:
    """The objects of a mask: 0 for background and ignored pixels, 1, 2 … for each connected region of one class.

    Pixels that touch at a corner only are not connected: a border one pixel thin that runs aslant keeps objects apart.
    """
    known = np.where(labels_HW == IGNORED, 0, labels_HW)
    return np.asarray(connected(known, background=0, connectivity=1), dtype=np.int32)


def parted(objects_HW: NDArray[np.integer]) -> NDArray[np.integer]:
    """The objects with background between those that touch: pixels with another object among their neighbours are of
    none.

    Where objects touch, a mask of foreground and background shows one; only with a strip between them, as in the paper,
    can a network learn to keep them apart. Neighbours include those at corners.
    """
    objects = objects_HW.astype(np.int32)  # the filters count in floats, where the largest numbers are rounded
    highest = ndimage.maximum_filter(objects, 3)
    lowest = ndimage.minimum_filter(np.where(objects == 0, highest.max(initial=0) + 1, objects), 3)
    return np.where((highest == objects) & (lowest == objects), objects_HW, 0).astype(objects_HW.dtype)


def border_weights(
    objects_HW: NDArray[np.integer],
    w0: float = 10.0,
    sigma: float = 5.0,
    balance: bool = True,
    ignored_HW: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """What each pixel weighs: w_class + w0 · exp(-(d1 + d2)² / 2σ²), float32; 0 where it is ignored.

    d1 and d2 are the distances to the nearest and to the second nearest object, from pixel middle to pixel middle. The
    border term stands on background, as in the paper. Objects that touch have no background between them: there, pixels
    that have a pixel of another object among their neighbours (corners included) carry the border, with d1 = 0. With
    one object or none there is no border. Terms below a thousandth of w0 are 0.

    objects_HW: 0 for background, one number an object; see `objects_of`.
    sigma: in pixels.
    balance: whether w_class is inverse to how many pixels background and objects have, with mean 1 over the pixels that
    count; otherwise it is 1.
    ignored_HW: pixels that count nowhere; they belong to no object.

    Raises:
        SettingError: sigma is not above 0, or w0 is negative.
    """
    if not sigma > 0 or not w0 >= 0:
        raise SettingError(f"Border weights want sigma above 0 and w0 from 0 on; they are {sigma} and {w0}.")
    counted = np.ones(objects_HW.shape, bool) if ignored_HW is None else ~np.asarray(ignored_HW, bool)
    objects = np.where(counted, objects_HW, 0)
    weights = _class_weights(objects != 0, counted) if balance else np.ones(objects.shape, np.float32)
    if w0 > 0:
        reach = sigma * sqrt(-2 * log(FAINT))
        first, second = _nearest_two(objects, reach)
        touching = second <= sqrt(objects.ndim)
        way = np.where((objects == 0) | touching, first + second, np.inf)
        weights += np.where(way <= reach, w0 * np.exp(-np.square(way / sigma) / 2), 0).astype(np.float32)
    return np.where(counted, weights, np.float32(0))


def _class_weights(foreground: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.float32]:
    total, objects = int(counted.sum()), int(foreground.sum())
    if objects in {0, total}:
        return np.ones(foreground.shape, np.float32)
    return np.where(foreground, total / (2 * objects), total / (2 * (total - objects))).astype(np.float32)


def _nearest_two(objects: NDArray[np.integer], reach: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The distances to the nearest and the second nearest object; right where they are at most `reach`, else large.

    Each object is looked at in its own box and `reach` around it: a border term further away is 0 whatever comes there.
    So no more than two distances a pixel are held, however many objects there are.
    """
    inside = objects != 0
    places = np.zeros(objects.shape, np.int32)  # with no number left out: boxes are found for 1, 2, 3 …
    places[inside] = np.unique(objects[inside], return_inverse=True)[1] + 1
    first = np.full(objects.shape, np.inf, np.float32)
    second = first.copy()
    for number, box in zip(count(1), ndimage.find_objects(places)):
        around = tuple(
            slice(max(0, side.start - ceil(reach)), min(size, side.stop + ceil(reach)))
            for side, size in zip(box, objects.shape, strict=True)
        )
        far = ndimage.distance_transform_edt(places[around] != number).astype(np.float32)
        second[around] = np.minimum(second[around], np.maximum(first[around], far))
        first[around] = np.minimum(first[around], far)
    return first, second
