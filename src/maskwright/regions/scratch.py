"""Bands of planes, and planes to work in. Shapes: H W the picture, h rows of it."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from maskwright.files import MemoryPlane, Plane

Scratch = Callable[[tuple[int, int], str], Plane]
"""Gives a new plane of zeros of this shape and dtype; its caller knows where it may lie, and when it goes."""

BAND: Final = 1 << 21
"""Pixels that are worked on at a time: what is made of each on the way is some fifty bytes, so about 100 MB."""


def in_memory(shape: tuple[int, int], dtype: str) -> Plane:
    """A new plane of zeros, in memory."""
    return MemoryPlane(np.zeros(shape, dtype))


def bands(shape: tuple[int, int], height: int | None = None) -> Iterator[tuple[slice, slice]]:
    """The picture in bands of whole rows, from the top; `height` rows each, None: as many as make `BAND` pixels."""
    rows, columns = shape
    height = height or max(1, BAND // max(1, columns))
    for top in range(0, rows, height):
        yield slice(top, min(top + height, rows)), slice(0, columns)


def grown(side: slice, by: int, size: int) -> tuple[slice, slice]:
    """A stretch with `by` more on either side, as far as the picture reaches, and where the stretch lies in it."""
    start, stop = max(0, side.start - by), min(size, side.stop + by)
    return slice(start, stop), slice(side.start - start, side.stop - start)


def table_of(values: dict[int, Any], dtype: str = "uint8") -> "np.ndarray[Any, np.dtype[Any]]":
    """A table of 256 for labels: these values, and 0 for the others."""
    table = np.zeros(256, dtype)
    for label, value in values.items():
        table[label] = value
    return table
