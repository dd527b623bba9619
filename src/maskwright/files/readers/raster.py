"""What GDAL reads and the other readers do not: JPEG 2000 and ERDAS Imagine, by rasterio."""

import threading
import warnings
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.extras import needed
from maskwright.files.georeference import Georeference, georeferenced
from maskwright.files.readers import readers
from maskwright.files.stored import Array, Stored

_STARTS: Final = {
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "JP2OpenJPEG",
    b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"EHFA_HEADER_TAG": "HFA",
}
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
        data = _open(rasterio, file, driver)
        types = set(data.dtypes)
        if len(types) > 1 or not data.count:
            raise ReadError(f"has bands of {', '.join(sorted(types)) or 'no type'}. Export it with bands of one type.")
        if np.dtype(data.dtypes[0]).kind not in "buif":
            raise ReadError(f"holds {data.dtypes[0]}, not plain numbers. Save it as uint8, uint16 or float32.")
        kinds = rasterio.enums.ColorInterp
        alpha = [band for band, kind in enumerate(data.colorinterp, 1) if kind == kinds.alpha]
        bands = [band for band in range(1, data.count + 1) if band not in alpha]
        palette = _palette(data, bands) if data.colorinterp[0] == kinds.palette else None
        region = _reading(rasterio, data, bands)
        everything = (slice(0, data.height), slice(0, data.width))
        return Stored(
            data.height, data.width, len(bands), data.dtypes[0], lambda: region(*everything), palette=palette,
            region=region, nodata=_nodata(data), georeference=lambda: _place(data),
            alpha=(lambda: _reading(rasterio, data, alpha)(*everything)[:, :, 0]) if alpha else None,
        )  # fmt: skip


def _driver(head: bytes) -> str | None:
    return next((driver for start, driver in _STARTS.items() if head.startswith(start)), None)


def _open(rasterio: Any, file: BinaryIO, driver: str | None) -> Any:
    """The data set, by its path; GDAL's own tricks with other files than this one are not asked for."""
    name = getattr(file, "name", None)
    with _quiet, warnings.catch_warnings():
        # It warns of pictures that lie nowhere on earth: most do not.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        if isinstance(name, str) and Path(name).is_file():
            return rasterio.open(Path(name), driver=driver)
        file.seek(0)
        return rasterio.MemoryFile(file.read()).open(driver=driver)


def _reading(rasterio: Any, data: Any, bands: list[int]) -> Any:
    def region(rows: slice, columns: slice) -> Array:
        window = rasterio.windows.Window(
            columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        )
        return np.moveaxis(data.read(bands, window=window), 0, -1)

    return region


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
