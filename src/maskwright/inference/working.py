"""Where one image is worked on: planes in memory, or in a folder beside the results where they are large. What has been
predicted there before an interruption is gone on with.
"""

import json
import shutil
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from maskwright.errors import DataError
from maskwright.files import FilePlane, MemoryPlane, Plane
from maskwright.records import replacing, sync_folder

PROGRESS: Final = "progress.json"


class Working:
    """The planes of one image, for the length of a block.

    folder: of a large image, its own; it stays only if the block ends with an error after something was marked. None:
        everything is in memory.
    job: hash of all that the numbers hang on; what another job has left is thrown away.
    """

    def __init__(self, folder: Path | None, job: str):
        self._folder, self._job = folder, job
        self._kept: list[FilePlane] = []
        self._numbers = count()
        self._open = ExitStack()
        self.row = 0
        """Rows above it are predicted already."""

    def __enter__(self) -> Self:
        if self._folder is not None:
            self.row = self._found(self._folder)
            if self.row == 0:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        self._open.close()
        if self._folder is not None and (kind is None or not self.row):
            shutil.rmtree(self._folder)

    def plane(self, name: str, shape: tuple[int, int], dtype: str) -> Plane:
        """The plane of this name, as it was left; a new one is 0 everywhere.

        Raises:
            DataError: the disk has no room for it.
        """
        if self._folder is None:
            return MemoryPlane(np.zeros(shape, dtype))
        path = self._folder / f"{name}.raw"
        plane = FilePlane.open(path, shape, dtype) if self.row else self._created(path, shape, dtype)
        self._open.callback(plane.close)
        self._kept.append(plane)
        return plane

    def scratch(self, shape: tuple[int, int], dtype: str) -> Plane:
        """A plane of zeros that is thrown away in any case."""
        if self._folder is None:
            return MemoryPlane(np.zeros(shape, dtype))
        plane = self._created(self._folder / f"scratch-{next(self._numbers)}.raw", shape, dtype)
        self._open.callback(plane.close)
        return plane

    def mark(self, row: int) -> None:
        """Note that all rows above this one are in the planes: a later process goes on from here."""
        if self._folder is None:
            return
        for plane in self._kept:
            plane.sync()
        with replacing(self._folder / PROGRESS) as temporary:
            temporary.write_text(json.dumps({"job": self._job, "row": row}), "utf-8")
        sync_folder(self._folder)
        self.row = row

    def _found(self, folder: Path) -> int:
        """How far the same job has come before."""
        try:
            values = json.loads((folder / PROGRESS).read_text("utf-8"))
            return int(values["row"]) if values["job"] == self._job else 0
        except (OSError, ValueError, KeyError, TypeError):  # nothing was marked
            return 0

    def _created(self, path: Path, shape: tuple[int, int], dtype: str) -> FilePlane:
        needed, free = shape[0] * shape[1] * np.dtype(dtype).itemsize, shutil.disk_usage(path.parent).free
        if needed > free:
            raise DataError(
                f"{path.parent} needs {needed / 2**30:.1f} GiB for what is made of the image, and its disk has "
                f"{free / 2**30:.1f} GiB. Free some space, or give another --out."
            )
        return FilePlane.create(path, shape, dtype)
