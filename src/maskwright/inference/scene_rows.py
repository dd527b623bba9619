"""The rows of a scene, read once from top to bottom and kept as long as somebody still needs them."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from maskwright.data.preprocess import Preprocess
from maskwright.files import Scene
from maskwright.files.stored import Array

STEP = 256
"""Rows are read up to a multiple of it: the tiles of most files end there, and are decoded once then."""


class Kept:
    """Some rows of an array that is made from top to bottom, as few as are still needed."""

    def __init__(self) -> None:
        self.start = self.stop = 0
        self._parts: deque[tuple[int, Array]] = deque()  # each with its first row

    def add(self, rows: Array) -> None:
        """Put rows below those that are here."""
        self._parts.append((self.stop, rows))
        self.stop += len(rows)

    def begin(self, row: int) -> None:
        """Nothing above this row is needed any more."""
        if row > self.start:
            self.start, self.stop = row, max(row, self.stop)
        while self._parts and self._parts[0][0] + len(self._parts[0][1]) <= self.start:
            self._parts.popleft()

    def take(self, rows: slice, columns: slice) -> Array:
        """What is here, not to be changed; a view where that is possible."""
        assert self.start <= rows.start < rows.stop <= self.stop, "rows are asked for from top to bottom"
        parts = [
            part[max(0, rows.start - first) : rows.stop - first, columns]
            for first, part in self._parts
            if first < rows.stop and rows.start < first + len(part)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class SceneRows:
    """Windows of a scene with the network's channels, and which of their pixels hold data.

    Several read it side by side; each says, under a name of its own, which row it needs next, and only what somebody
    needs is kept. Values that are no number are no data.
    """

    def __init__(self, scene: Scene, preprocess: Preprocess, file: object = "the image"):
        self.size = scene.header.height, scene.header.width
        self._scene, self._preprocess, self._file = scene, preprocess, file
        self._image, self._valid = Kept(), Kept()
        self._needed: dict[object, int] = {}
        self._needed_valid: dict[object, int] = {}
        self.has_gaps = False
        """Whether any pixel so far held no data."""
        # What does not fit is told before anything is read.
        preprocess.to_channels(np.empty((1, 1, scene.header.channels), scene.header.dtype), file)

    def need(self, who: object, row: int) -> None:
        """From now on this reader needs no row of the image above that one."""
        self._needed[who] = row

    def need_valid(self, who: object, row: int) -> None:
        """From now on this reader does not ask above that row which pixels hold data."""
        self._needed_valid[who] = row

    def image(self, rows: slice, columns: slice) -> Array:
        """The window h w C, as stored."""
        self._read(rows.stop)
        return self._image.take(rows, columns)

    def valid(self, rows: slice, columns: slice) -> NDArray[np.bool_] | None:
        """Which pixels of the window hold data, h w; None where all that was read so far do."""
        self._read(rows.stop)
        return self._valid.take(rows, columns) if self.has_gaps else None

    def _read(self, stop: int) -> None:
        if stop <= self._image.stop:
            return
        first, first_valid = (min(rows.values(), default=0) for rows in (self._needed, self._needed_valid))
        first_valid, read = min(first, first_valid), self._image.stop
        self._image.begin(min(first, read) if read else first_valid)
        self._valid.begin(min(first_valid, read) if read else first_valid)
        start = self._image.stop
        until = min(self.size[0], -(-stop // STEP) * STEP)
        image_hwC, valid_hw = self._scene.read_valid(slice(start, until), slice(0, self.size[1]))
        if image_hwC.dtype.kind == "f":
            finite_hw: Array = np.logical_and.reduce(np.isfinite(image_hwC), axis=2)
            if not finite_hw.all():
                valid_hw = finite_hw if valid_hw is None else valid_hw & finite_hw
        self._image.add(self._preprocess.to_channels(image_hwC, self._file))
        if valid_hw is not None and not valid_hw.all():
            self.has_gaps = True
        # Where all pixels hold data, that takes no room.
        self._valid.add(np.broadcast_to(np.True_, image_hwC.shape[:2]) if valid_hw is None else valid_hw)
