"""Cameras store a picture as the sensor saw it and note how to hold it: here it is turned upright.

We read the one EXIF tag ourselves. Pillow's parser answers damaged EXIF with warnings, and needs a whole PNG
decoded before it looks.
"""

import struct
from typing import Any, Final

import numpy as np

TAG: Final = 274
"""The number of the tag `Orientation`, in EXIF and in TIFF alike."""

# orientation: swap rows and columns, then reverse the rows, then the columns
_MOVES: Final = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def upright(values: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """The picture as it should be seen: a view of `values` (H, W, …), turned and mirrored."""
    swap, rows, columns = _MOVES[orientation]
    if swap:
        values = values.swapaxes(0, 1)
    return values[:: -1 if rows else 1, :: -1 if columns else 1]


def swaps_sides(orientation: int) -> bool:
    """Whether height and width change places on the way to upright."""
    return _MOVES[orientation][0]


def sound(value: object) -> int:
    """The orientation from 1 to 8. What is no orientation counts as upright, as in every viewer."""
    return value if isinstance(value, int) and value in _MOVES else 1


def orientation_in(exif: bytes) -> int:
    """The orientation from 1 to 8 that a block of EXIF states; 1 where it states none or is damaged."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
            if tag == TAG:
                # A short by the standard; some programs write a long.
                return sound(struct.unpack_from(f"{order}{'I' if kind == 4 else 'H'}", tiff, entry + 8)[0])
    except struct.error:
        pass
    return 1


def stored_window(rows: slice, columns: slice, height: int, width: int, orientation: int) -> tuple[slice, slice]:
    """Where a window of the upright picture lies in the stored one of this height and width. No steps."""
    swap, back_rows, back_columns = _MOVES[orientation]
    tall, wide = (width, height) if swap else (height, width)
    if back_rows:
        rows = slice(tall - rows.stop, tall - rows.start)
    if back_columns:
        columns = slice(wide - columns.stop, wide - columns.start)
    return (columns, rows) if swap else (rows, columns)


def stored_place(column: float, row: float, height: int, width: int, orientation: int) -> tuple[float, float]:
    """The column and row, in the stored picture of this height and width, of a place in the upright one."""
    swap, back_rows, back_columns = _MOVES[orientation]
    tall, wide = (width, height) if swap else (height, width)
    row = tall - row if back_rows else row
    column = wide - column if back_columns else column
    return (row, column) if swap else (column, row)
