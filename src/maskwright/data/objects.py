"""Maps of objects: 0 where there is none, then 1 … N, a number an object. H W the picture."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.errors import DataError
from maskwright.files import files_in, read_mask

FOREGROUND = 255
"""The mask value that stands for any object where masks tell objects apart."""


def from_values(path: Path, page: int | None = None, axes: str | None = None) -> NDArray[np.int32]:
    """The objects of a mask of numbers, H W int32.

    Raises:
        ReadError, DataError: the file does not open, or holds a number below 0; names it.
    """
    values_HW = read_mask(path, page, axes=axes).values
    if (values_HW < 0).any():
        raise DataError(f"{path} holds the value {values_HW.min()}; objects are numbered from 1, and 0 is background.")
    return numbered(values_HW)


def numbered(values_HW: NDArray[Any]) -> NDArray[np.int32]:
    """The same objects numbered 1 … N in the order of their values, whatever those are; 0 stays 0."""
    present = np.unique(values_HW[values_HW > 0])
    return np.where(values_HW > 0, np.searchsorted(present, values_HW) + 1, 0).astype(np.int32)


def pieces(foreground_HW: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Connected pieces as objects. Pixels that only touch at a corner are apart, so a diagonal line one pixel wide
    parts what lies on its sides.
    """
    found, _ = ndimage.label(foreground_HW)
    return np.asarray(found, np.int32)


def from_files(folder: Path, size: tuple[int, int]) -> NDArray[np.int32]:
    """The objects of a folder of masks, one file an object, H W int32.

    size: the image's height and width, which each mask must have and an empty folder does not say.

    Raises:
        ReadError, DataError: a file does not open, is no mask of one object, or has another size; names it.
    """
    places = [_places(path, size) for path in files_in(folder)]
    map_N = np.zeros(size[0] * size[1], np.int32)
    # Where two overlap the smaller one is seen, and of two alike the later: a large one would swallow it.
    for number in sorted(range(len(places)), key=lambda number: -len(places[number])):
        map_N[places[number]] = number + 1
    return numbered(map_N.reshape(size))  # one that is wholly covered leaves no gap


def _places(path: Path, size: tuple[int, int]) -> NDArray[np.intp]:
    """Where, as indices into the flat picture, the one object of a mask is."""
    values_HW = read_mask(path).values
    if values_HW.shape != size:
        raise DataError(
            f"{path} is {values_HW.shape[0]}×{values_HW.shape[1]}, its image {size[0]}×{size[1]} (height × width). "
            "Masks must match their image; crop or redraw the mask."
        )
    shown = np.flatnonzero(values_HW != 0)  # of truths it is ten times faster than of numbers
    found = values_HW.ravel()[shown]
    if len(found) and (found != found[0]).any():
        raise DataError(
            f"{path} holds 0, {found.min()} and {found.max()}; a file of one object holds 0 and one other value. "
            "Redraw it."
        )
    return shown
