"""Rasters: pictures that are written by windows and need not fit into memory. Shapes: H W the picture, h w a window,
C the channels of a part.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from maskwright.files.planes import MemoryPlane, Plane
from maskwright.files.stored import Array

Read = Callable[[slice, slice], Array]
Scratch = Callable[[tuple[int, int], str], Plane]

AT_ONCE: Final = 2**24
"""Bytes of a window, about, that is read to be written."""
LEAST: Final = 512
"""The smallest copy of a pyramid is the first with no side longer than this."""


@dataclass(frozen=True, eq=False)
class Raster:
    """A picture to be written, and what its file says of it."""

    height: int
    width: int
    dtype: str
    parts: tuple[Read, ...]
    """One that gives windows h w C; or one for each band, that gives h w."""
    channels: int = 1
    """C of a part."""
    named: bool = True
    """Whether values name something, as in a mask: smaller copies then take one of the values, not their mean."""
    nodata: float | None = None
    """The value that means: nothing is said here."""
    palette: Array | None = None
    """Colours, 3: uint8."""
    bands: tuple[str, ...] = ()
    """What the bands are called."""
    colours: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    """How values are shown, where a format can say so beside them."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel in all its bands."""
        return len(self.parts) * self.channels * np.dtype(self.dtype).itemsize

    @property
    def size(self) -> int:
        """Bytes of all that is to be written."""
        return self.height * self.width * self.pixel_bytes

    def windows(self, part: Read, rows: slice, step: int) -> Iterator[Array]:
        """The part's windows in these rows from left to right, of bounded size and a width that is a multiple of
        `step`; the last may be narrower.
        """
        wide = max(1, (rows.stop - rows.start) * self.channels * np.dtype(self.dtype).itemsize)
        width = max(step, AT_ONCE // wide // step * step)
        for left in range(0, self.width, width):
            yield part(rows, slice(left, min(self.width, left + width)))


def raster_of(*planes: Plane, named: bool = True) -> Raster:
    """Planes of one size and type as a raster with a band for each."""
    height, width = planes[0].shape
    return Raster(height, width, planes[0].dtype.name, tuple(plane.read for plane in planes), named=named)


def in_memory(shape: tuple[int, int], dtype: str) -> Plane:
    """A new plane of zeros in memory."""
    return MemoryPlane(np.zeros(shape, dtype))


def smaller(raster: Raster, scratch: Scratch = in_memory) -> Iterator[Raster]:
    """Copies of half the size, a quarter …, the last with no side above `LEAST`. Each is in a plane from `scratch`.

    Where values name something the upper left of four is taken, else their mean, without those that are NaN.
    """
    while max(raster.height, raster.width) > LEAST:
        raster = _halved(raster, scratch)
        yield raster


def _halved(raster: Raster, scratch: Scratch) -> Raster:
    height, width = -(-raster.height // 2), -(-raster.width // 2)
    band = max(2, AT_ONCE // max(1, raster.width * raster.channels * np.dtype(raster.dtype).itemsize) // 2 * 2)
    parts = []
    for part in raster.parts:
        plane = scratch((height, width * raster.channels), raster.dtype)
        for top in range(0, raster.height, band):
            rows = slice(top, min(raster.height, top + band))
            values = part(rows, slice(0, raster.width)).reshape(rows.stop - top, raster.width, raster.channels)
            half = values[::2, ::2] if raster.named else _mean(values)
            plane.write(
                slice(top // 2, top // 2 + len(half)), slice(0, width * raster.channels), half.reshape(len(half), -1)
            )
        parts.append(_of_wide(plane, raster.channels))
    return replace(raster, height=height, width=width, parts=tuple(parts))


def _mean(values_hwC: Array) -> Array:
    """The mean of two by two pixels; at an odd border of those that there are."""
    height, width, _ = values_hwC.shape
    padded = np.pad(values_hwC, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    if values_hwC.dtype.kind != "f":
        total: Array = np.sum([padded[i::2, j::2].astype(np.uint32) for i in (0, 1) for j in (0, 1)], axis=0)
        return ((total + 2) // 4).astype(values_hwC.dtype)
    four = np.stack([padded[i::2, j::2] for i in (0, 1) for j in (0, 1)]).astype(np.float32)
    there = ~np.isnan(four)
    count = there.sum(axis=0)
    mean = np.where(there, four, 0).sum(axis=0) / np.maximum(1, count)
    return np.where(count > 0, mean, np.nan).astype(values_hwC.dtype)


def _of_wide(plane: Plane, channels: int) -> Read:
    """Windows of a plane in which the channels of a pixel stand side by side."""
    if channels == 1:
        return plane.read

    def read(rows: slice, columns: slice) -> Array:
        values = plane.read(rows, slice(columns.start * channels, columns.stop * channels))
        return values.reshape(rows.stop - rows.start, columns.stop - columns.start, channels)

    return read
