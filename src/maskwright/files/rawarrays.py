"""Arrays that lie in a file as they are: a part of one is read without the rest."""

import math
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.axes import Slices
from maskwright.files.stored import Array

BLOCK: Final = 2**20
"""Bytes read at once; what lies between two needed parts that are nearer than this is read and dropped."""


@dataclass(frozen=True, eq=False)
class RawArray:
    """Numbers of one type, uncompressed, from the byte `start` on; with `fortran` the first axis is the fastest.

    Nothing is mapped into memory: a file that another program shortens meanwhile would end the process.
    """

    file: BinaryIO
    start: int
    shape: tuple[int, ...]
    dtype: "np.dtype[np.generic]"
    fortran: bool = False

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    def take(self, part: Slices) -> Array:
        """The part of the array within these slices, one an axis, without steps.

        Raises:
            ReadError: the file ends before.
        """
        bounds = [span.indices(size) for span, size in zip(part, self.shape, strict=True)]
        spans, shape = [(first, max(first, last)) for first, last, _ in bounds], list(self.shape)
        if self.fortran:
            spans, shape = spans[::-1], shape[::-1]
        found = np.empty([last - first for first, last in spans], self.dtype)
        if found.size:
            self._fill(found, self.start, shape, spans)
        return found.transpose() if self.fortran else found

    def _fill(self, out: Array, start: int, shape: list[int], spans: list[tuple[int, int]]) -> None:
        below = math.prod(shape[1:]) * self.dtype.itemsize  # bytes of one step along the first axis
        (first, last), inner = spans[0], spans[1:]
        if below > BLOCK and inner:
            for place in range(first, last):
                self._fill(out[place - first], start + place * below, shape[1:], inner)
            return
        rows = max(1, BLOCK // below)
        for place in range(first, last, rows):
            until = min(last, place + rows)
            self.file.seek(start + place * below)
            data = self.file.read((until - place) * below)
            if len(data) < (until - place) * below:
                raise ReadError("was cut short: numbers are missing at its end. Copy, download or export it again.")
            values = np.frombuffer(data, self.dtype).reshape(until - place, *shape[1:])
            out[place - first : until - first] = values[(slice(None), *(slice(*span) for span in inner))]
