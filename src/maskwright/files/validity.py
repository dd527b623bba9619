"""Which pixels of a picture count: those that hold data, and how opaque they are."""

import math
from pathlib import Path

import numpy as np

from maskwright.files.opening import check_size, opened
from maskwright.files.orientation import upright
from maskwright.files.stored import Array


def valid_pixels(path: str | Path, page: int | None = None, axes: str | None = None) -> Array | None:
    """Which pixels of `read_image(path, page, axes)` hold data, (H, W) of bool; None if the file names no value for
    "no data" (`Header.nodata`).

    A pixel is without data where all its bands hold that value: 0 in the blue band alone is a colour. Where the
    value is NaN, one band of it is enough.

    Raises:
        ReadError: as for `read_image`.
    """
    with opened(path, page, axes) as stored:
        if stored.nodata is None:
            return None
        check_size(stored)
        values = stored.decode()
        missing = missing_pixels(values, stored.nodata)
        return np.ascontiguousarray(~upright(missing, stored.orientation))


def missing_pixels(values_HWC: Array, nodata: float) -> Array:
    """Which pixels (H, W) of stored samples (H, W, C) hold no data."""
    if math.isnan(nodata):
        floats = values_HWC.dtype.kind == "f"
        return np.logical_or.reduce(np.isnan(values_HWC), axis=2) if floats else np.zeros(values_HWC.shape[:2], bool)
    # Files write -3.4e38 with as many digits as they like: what counts is the number in the bands' own type.
    with np.errstate(over="ignore"):
        number = values_HWC.dtype.type(nodata) if values_HWC.dtype.kind == "f" else nodata
    return np.logical_and.reduce(np.equal(values_HWC, number), axis=2)


def read_alpha(path: str | Path, page: int | None = None) -> Array | None:
    """How opaque each pixel is, (H, W) of uint8: 0 shines through, 255 hides; None if the file has no alpha.

    `read_image` drops it, as it is no colour.

    Raises:
        ReadError: as for `read_image`.
    """
    with opened(path, page) as stored:
        if stored.alpha is None:
            return None
        check_size(stored)
        alpha = stored.alpha()
        if alpha.dtype.kind == "f":
            alpha = np.rint(np.nan_to_num(alpha).clip(0, 1) * 255)
        elif alpha.dtype != np.uint8:
            alpha = np.rint(alpha * (255 / np.iinfo(alpha.dtype).max))
        return np.ascontiguousarray(upright(alpha.astype(np.uint8), stored.orientation))
