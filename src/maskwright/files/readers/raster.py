"""What GDAL reads and the other readers do not: JPEG 2000 and ERDAS Imagine, by rasterio."""

import logging
import math
import struct
import threading
import warnings
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.extras import needed
from maskwright.files.georeference import Georeference, georeferenced
from maskwright.files.limits import check_memory
from maskwright.files.readers import readers
from maskwright.files.stored import Array, Stored

_STARTS: Final = {
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"EHFA_HEADER_TAG": "HFA",
}
_SIZES: Final = b"\xff\x4f\xff\x51"  # start of a codestream, and of the sizes in it
MAX_TILE: Final = 1_000_000_000
"""Pixels of a tile of a JPEG 2000."""
_ENTRY: Final = 128  # bytes of an entry of an ERDAS file
_quiet: Final = threading.Lock()  # which warnings are shown is one state for all threads


@readers.register("raster")
class Raster:
    """JPEG 2000 (Sentinel-2, scanned slides) and ERDAS `.img`: all bands, alpha apart."""

    suffixes: ClassVar[tuple[str, ...]] = (".jp2", ".j2k", ".jpx", ".img")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is JPEG 2000 or ERDAS Imagine."""
        return _driver(head) is not None

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The picture in the file."""
        rasterio = needed("rasterio", "geo", "a JPEG 2000 or ERDAS file")
        driver = _driver(file.read(64))
        tile = 0
        if driver == "HFA":
            _check_whole(file)
        else:
            tile = _checked_tile(file)
        file.seek(0)
        _silence()
        memory = None if _on_disk(file) else rasterio.MemoryFile(file.read())
        data = _open(rasterio, memory or Path(file.name), driver)
        types = set(data.dtypes)
        if len(types) > 1 or not data.count:
            raise ReadError(f"has bands of {', '.join(sorted(types)) or 'no type'}. Export it with bands of one type.")
        if np.dtype(data.dtypes[0]).kind not in "buif":
            raise ReadError(f"holds {data.dtypes[0]}, not plain numbers. Save it as uint8, uint16 or float32.")
        kinds = rasterio.enums.ColorInterp
        alpha = [band for band, kind in enumerate(data.colorinterp, 1) if kind == kinds.alpha]
        bands = [band for band in range(1, data.count + 1) if band not in alpha]
        palette = _palette(data, bands) if data.colorinterp[0] == kinds.palette else None
        beside = _besides(data, tile)
        region = _reading(rasterio, data, bands, memory, beside)
        everything = (slice(0, data.height), slice(0, data.width))
        return Stored(
            data.height, data.width, len(bands), data.dtypes[0], lambda: region(*everything), palette=palette,
            region=region, nodata=_nodata(data), georeference=lambda: _place(data),
            working=2 * data.height * data.width * len(bands) * np.dtype(data.dtypes[0]).itemsize + beside,
            alpha=(lambda: _reading(rasterio, data, alpha, memory, beside)(*everything)[:, :, 0]) if alpha else None,
        )  # fmt: skip


def _driver(head: bytes) -> str | None:
    return next((driver for start, driver in _STARTS.items() if head.startswith(start)), None)


def _on_disk(file: BinaryIO) -> bool:
    name = getattr(file, "name", None)
    return isinstance(name, str) and Path(name).is_file()


def _open(rasterio: Any, source: Any, driver: str | None) -> Any:
    """The data set of a path or of a file in memory; GDAL is told its kind, so that it tries no other."""
    with _quiet, warnings.catch_warnings():
        # It warns of pictures that lie nowhere on earth: most do not.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        return rasterio.open(source, driver=driver) if isinstance(source, Path) else source.open(driver=driver)


def _silence() -> None:
    """What GDAL logs is harmless or an error of ours a moment later; without a handler it would land on the screen."""
    logger = logging.getLogger("rasterio")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _checked_tile(file: BinaryIO) -> int:
    """Pixels of a tile, or an error: a window takes going through all of the tile that it lies in."""
    file.seek(0)
    head = file.read(2**16)
    at = head.find(_SIZES)
    if at < 0:
        return 0  # the boxes before are larger, as they may be; or it is damaged, which GDAL tells
    right, bottom, left, top, across, down = struct.unpack_from(">6I", head, at + 8)
    tile = min(right - left, across) * min(bottom - top, down)
    if tile > MAX_TILE:
        raise ReadError(
            f"says that it is packed in tiles of {tile:,} pixels; at most {MAX_TILE:,} can be unpacked. Write it again "
            "in tiles (`gdal_translate out.tif -co TILED=YES`), or export it again if this size cannot be true."
        )
    return max(0, tile)


def _check_whole(file: BinaryIO) -> None:
    """Nothing, or an error: GDAL reads what an ERDAS file has lost at its end as zeros, and says nothing.

    The file is a tree; each entry says where its next, its first child and its data are.
    """
    size = file.seek(0, 2)
    (start,) = _numbers(file, 16, "<I")
    _, _, root, _, dictionary = _numbers(file, start, "<iIIhI")
    entries, seen = [root], {0}
    while entries:
        if (entry := entries.pop()) in seen:
            continue
        seen.add(entry)
        after, _, _, child, data, length = _numbers(file, entry, "<6I")
        if entry + _ENTRY > size or data + length > size or dictionary >= size:
            raise ReadError("was cut short: its end is missing. Copy, download or export it again.")
        entries += [after, child]
    file.seek(dictionary)
    if b"\0" not in file.read(2**20):
        raise ReadError("was cut short: its end is missing. Copy, download or export it again.")


def _numbers(file: BinaryIO, place: int, form: str) -> tuple[int, ...]:
    file.seek(place)
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _reading(rasterio: Any, data: Any, bands: list[int], memory: Any, beside: int) -> Any:
    """How to get a window of these bands. What is in memory stays there as long as this can be asked for.

    beside: bytes that are unpacked whatever the window.
    """
    item = np.dtype(data.dtypes[0]).itemsize

    def region(rows: slice, columns: slice) -> Array:
        window = rasterio.windows.Window(
            columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        )
        assert memory is None or not memory.closed, "held here"
        taken = len(bands) * (rows.stop - rows.start) * (columns.stop - columns.start) * item
        check_memory(2 * taken + beside, f"tiles of {'×'.join(map(str, data.block_shapes[0][::-1]))} pixels")
        return np.moveaxis(data.read(bands, window=window), 0, -1)

    return region


def _besides(data: Any, tile: int) -> int:
    """What is unpacked whatever the window: all bands of one tile, in numbers of four bytes and as GDAL keeps them.

    tile: pixels of a tile of JPEG 2000, which may be larger than what GDAL calls its block.
    """
    block = max(math.prod(map(int, shape)) for shape in data.block_shapes)
    return 8 * max(block, tile) * int(data.count)


def _nodata(data: Any) -> float | None:
    values = {value for value in data.nodatavals if value is not None}
    return float(data.nodatavals[0]) if len(values) == 1 and data.nodatavals[0] is not None else None


def _palette(data: Any, bands: list[int]) -> Array | None:
    if data.dtypes[0] != "uint8" or len(bands) != 1:
        return None
    table = data.colormap(1)
    colours = np.zeros((max(table) + 1, 3), np.uint8)
    for index, colour in table.items():
        colours[index] = colour[:3]
    return colours


def _place(data: Any) -> Georeference | None:
    if data.transform.is_identity and data.crs is None:
        return None
    crs = "" if data.crs is None else data.crs.to_string()
    return georeferenced(tuple(data.transform)[:6], crs)
