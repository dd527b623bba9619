"""Windows: a part of a picture that need not fit into memory."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from maskwright.errors import ReadError, SettingError
from maskwright.files.opening import MAX_PIXELS, check_size, opened
from maskwright.files.orientation import stored_window
from maskwright.files.stored import Array, image_of


def read_window(
    path: str | Path, rows: slice, columns: slice, page: int | None = None, axes: str | None = None
) -> Array:
    """The same as `read_image(path, page, axes)[rows, columns]`, (h, w, C).

    TIFF (strips and tiles), NumPy, Zarr, NIfTI that is not zipped and what `geo` reads give the window without
    decoding the rest; there the whole picture may be larger than can be read at once. Other formats are decoded whole.

    Raises:
        ReadError: as for `read_image`.
        SettingError: the slices have a step.
    """
    if any(side.step not in (None, 1) for side in (rows, columns)):
        raise SettingError(f"A window of {path} should be of slices without a step: read it whole, then thin it out.")
    with opened(path, page, axes) as stored:
        header = stored.header
        top, bottom, _ = rows.indices(header.height)
        left, right, _ = columns.indices(header.width)
        if bottom <= top or right <= left:
            return np.empty((max(0, bottom - top), max(0, right - left), header.channels), header.dtype)
        if stored.region is None:
            check_size(stored)
            return np.ascontiguousarray(image_of(stored)[top:bottom, left:right])
        if (bottom - top) * (right - left) > MAX_PIXELS:
            raise ReadError(f"has no window of more than {MAX_PIXELS:,} pixels to be read at once. Read smaller ones.")
        window = stored_window(
            slice(top, bottom), slice(left, right), stored.height, stored.width, stored.orientation
        )  # fmt: skip
        region, (height, width) = stored.region, (side.stop - side.start for side in window)
        part = replace(stored, height=height, width=width, decode=lambda: region(*window), working=None)
        check_size(part)
        return image_of(part)
