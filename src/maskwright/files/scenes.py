"""Scenes: pictures that are read by windows again and again, from a file that stays open or from an array.

Shapes: H W the picture, C its channels, h w a window.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from maskwright.errors import SettingError
from maskwright.files.georeference import Georeference, upright_place
from maskwright.files.opening import check_size, opened, reading
from maskwright.files.orientation import stored_window, upright
from maskwright.files.stored import Array, Header, Stored, image_of
from maskwright.files.validity import missing_pixels


class Scene(Protocol):
    """A picture of which windows are read; slices without a step that lie inside it. Safe to use from threads."""

    @property
    def header(self) -> Header:
        """Size and type of the picture as `read_image` would give it."""

    @property
    def georeference(self) -> Georeference | None:
        """Where it lies, if its file says so."""

    def read(self, rows: slice, columns: slice) -> Array:
        """The window h w C, as `read_image` would give it."""

    def read_valid(self, rows: slice, columns: slice) -> tuple[Array, Array | None]:
        """The window, and which of its pixels hold data, h w of bool; None where the file names no value for "no
        data", so that all do.
        """


class ArrayScene:
    """An array H W C in memory as a scene.

    valid_HW: which pixels hold data; None: all.
    """

    def __init__(
        self, image_HWC: Array, valid_HW: Array | None = None, georeference: Georeference | None = None
    ) -> None:
        if image_HWC.ndim == 2:
            image_HWC = image_HWC[:, :, None]
        if image_HWC.ndim != 3 or image_HWC.size == 0:
            raise SettingError(f"An image has the shape H W or H W C, not {image_HWC.shape}.")
        self._image, self._valid, self.georeference = image_HWC, valid_HW, georeference
        height, width, channels = image_HWC.shape
        self.header = Header(height, width, channels, str(image_HWC.dtype))

    def read(self, rows: slice, columns: slice) -> Array:
        """The window h w C."""
        return self._image[rows, columns]

    def read_valid(self, rows: slice, columns: slice) -> tuple[Array, Array | None]:
        """The window, and which of its pixels hold data."""
        return self.read(rows, columns), None if self._valid is None else self._valid[rows, columns]


class _FileScene:
    """An opened picture whose format gives windows."""

    def __init__(self, stored: Stored, path: Path, page: int | None):
        self._stored, self._path, self._page = stored, path, page
        self._lock = threading.Lock()  # one file, one place in it
        self.header = stored.header
        self.georeference = upright_place(stored)

    def read(self, rows: slice, columns: slice) -> Array:
        """The window h w C."""
        return self._part(rows, columns)[0]

    def read_valid(self, rows: slice, columns: slice) -> tuple[Array, Array | None]:
        """The window, and which of its pixels hold data."""
        image_hwC, samples_hwC = self._part(rows, columns)
        if self._stored.nodata is None:
            return image_hwC, None
        missing = missing_pixels(samples_hwC, self._stored.nodata)
        return image_hwC, ~upright(missing, self._stored.orientation)

    def _part(self, rows: slice, columns: slice) -> tuple[Array, Array]:
        """The window as it is seen, and its samples as stored."""
        stored, region = self._stored, self._stored.region
        assert region is not None, "others are read whole"
        window = stored_window(rows, columns, stored.height, stored.width, stored.orientation)
        height, width = (side.stop - side.start for side in window)
        with reading(self._path, self._page):
            part = replace(stored, height=height, width=width, decode=lambda: region(*window), working=None)
            check_size(part)
            with self._lock:
                samples_hwC = region(*window)
            return image_of(replace(part, decode=lambda: samples_hwC)), samples_hwC


@contextmanager
def open_scene(path: str | Path, page: int | None = None, axes: str | None = None) -> Iterator[Scene]:
    """The picture of `read_image(path, page, axes)` as a scene, for the length of a block.

    TIFF, NumPy, Zarr, NIfTI that is not zipped and what `geo` reads give windows without decoding the rest, and may be
    larger than memory. Other formats are decoded whole, once.

    Raises:
        ReadError: as for `read_image`, here or when a window is read.
    """
    failure: BaseException | None = None
    with opened(path, page, axes) as stored:
        scene = _decoded(stored) if stored.region is None else _FileScene(stored, Path(path), page)
        try:
            yield scene
        except BaseException as error:  # the caller's own, which tells nothing of the file; it is raised again
            failure = error
    if failure is not None:
        raise failure


@dataclass(frozen=True)
class Head:
    """What a scene says of itself."""

    header: Header
    georeference: Georeference | None


def head_of(path: str | Path, page: int | None = None, axes: str | None = None) -> Head:
    """What the scene of `open_scene(path, page, axes)` would say of itself, without decoding a pixel.

    Raises:
        ReadError: as for `read_image`.
    """
    with opened(path, page, axes) as stored:
        return Head(stored.header, upright_place(stored))


def _decoded(stored: Stored) -> ArrayScene:
    check_size(stored)
    samples_HWC = stored.decode()
    image_HWC = image_of(replace(stored, decode=lambda: samples_HWC))
    valid_HW = None
    if stored.nodata is not None:
        valid_HW = ~upright(missing_pixels(samples_HWC, stored.nodata), stored.orientation)
    return ArrayScene(image_HWC, valid_HW, upright_place(stored))
