"""Planes: pictures of one value a pixel that are read and written by windows, in memory or on disk.

What is made of an image in bands (labels, probabilities, objects) is kept in planes, so that no room needs to know
whether it fits into memory. Shapes: H W the plane, h w a window.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.stored import Array


class Plane(Protocol):
    """A picture of one value a pixel, H W; windows are slices without a step that lie inside it."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Of each value."""

    def read(self, rows: slice, columns: slice) -> Array:
        """The window h w: a copy, which may be written to."""

    def write(self, rows: slice, columns: slice, values: Array) -> None:
        """Replace the window by values h w of the plane's type."""


class MemoryPlane:
    """A plane over an array H W, which it does not copy: what is written is written there."""

    def __init__(self, values: Array):
        self.values = values

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.values.shape
        return height, width

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Of each value."""
        return self.values.dtype

    def read(self, rows: slice, columns: slice) -> Array:
        """The window h w, a copy."""
        return self.values[rows, columns].copy()

    def write(self, rows: slice, columns: slice, values: Array) -> None:
        """Replace the window by values h w."""
        self.values[rows, columns] = values


class FilePlane:
    """A plane in a file of its own: raw values, row after row, and nothing else; new ones are 0.

    It is read and written by calls, not mapped: what the system keeps of it does not count as this program's memory.

    >>> with FilePlane.create("labels.raw", (30_000, 30_000), "uint8") as plane:  # doctest: +SKIP
    ...     plane.write(slice(0, 512), slice(0, 512), labels_hw)
    """

    def __init__(self, path: Path, shape: tuple[int, int], dtype: str, *, new: bool):
        self.path = path
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._lock = threading.Lock()  # one file, one place in it
        self._file = path.open("w+b" if new else "r+b", buffering=0)

    @classmethod
    def create(cls, path: str | Path, shape: tuple[int, int], dtype: str) -> Self:
        """A new plane of zeros; what stood at the path is gone."""
        plane = cls(Path(path), shape, dtype, new=True)
        plane._file.truncate(shape[0] * shape[1] * plane.dtype.itemsize)
        return plane

    @classmethod
    def open(cls, path: str | Path, shape: tuple[int, int], dtype: str) -> Self:
        """A plane that was created before, to go on with.

        Raises:
            ReadError: the file is not there, or has not the length of such a plane.
        """
        path, expected = Path(path), shape[0] * shape[1] * np.dtype(dtype).itemsize
        found = path.stat().st_size if path.is_file() else None
        if found != expected:
            raise ReadError(
                f"{path} should hold {shape[0]}×{shape[1]} values of {dtype}, {expected:,} bytes; it "
                f"{'is not there' if found is None else f'has {found:,}'}. Remove it and start again."
            )
        return cls(path, shape, dtype, new=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self._shape

    @property
    def dtype(self) -> "np.dtype[np.generic]":
        """Of each value."""
        return self._dtype

    def read(self, rows: slice, columns: slice) -> Array:
        """The window h w, a copy."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start), self._dtype)
        with self._lock:
            for part, start in self._parts(out, rows, columns):
                self._file.seek(start)
                view = part.data.cast("B")
                while len(view):
                    count = self._file.readinto(view)
                    if not count:
                        raise ReadError(f"{self.path} was cut short while it was in use. Start again.")
                    view = view[count:]
        return out

    def write(self, rows: slice, columns: slice, values: Array) -> None:
        """Replace the window by values h w.

        Raises:
            OSError: the disk is full.
        """
        values = np.ascontiguousarray(values, self._dtype)
        with self._lock:
            for part, start in self._parts(values, rows, columns):
                self._file.seek(start)
                view = part.data.cast("B")
                while len(view):
                    view = view[self._file.write(view) :]

    def sync(self) -> None:
        """What was written is on the disk, not only on its way."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """The file stays."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _parts(self, values: Array, rows: slice, columns: slice) -> Iterator[tuple[Array, int]]:
        """What lies in one piece in the file, with the byte it starts at."""
        size, width = self._dtype.itemsize, self._shape[1]
        if not values.size:
            return
        if columns == slice(0, width):
            yield values.reshape(-1), rows.start * width * size
            return
        for row, part in enumerate(values, start=rows.start):
            yield part, (row * width + columns.start) * size
