"""Rasters become PNG, row by row and in bounded memory (PNG specification, third edition: W3C 2025)."""

import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from maskwright.files.rasters import AT_ONCE, Raster
from maskwright.files.stored import Array
from maskwright.records import replacing

_GREY, _RGB, _PALETTE = 0, 2, 3
_AS_IT_IS, _FROM_LEFT = 0, 1  # how a row is told
LEVEL: Final = 6


def write_png(path: Path, raster: Raster) -> Path:
    """Write a raster of one band of uint8 or uint16, or of three channels of uint8, atomically. Returns the path."""
    assert len(raster.parts) == 1, "a PNG has no further bands"
    assert raster.dtype in ("uint8", "uint16"), "others are no PNG"
    bits = 8 * np.dtype(raster.dtype).itemsize
    kind = _PALETTE if raster.palette is not None else _RGB if raster.channels == 3 else _GREY
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        _chunk(file, b"IHDR", struct.pack(">IIBBBBB", raster.width, raster.height, bits, kind, 0, 0, 0))
        if raster.palette is not None:
            _chunk(file, b"PLTE", raster.palette.tobytes())
        _rows(file, raster)
        _chunk(file, b"IEND", b"")
    return path


def _rows(file: BinaryIO, raster: Raster) -> None:
    packer = zlib.compressobj(LEVEL)
    band = max(1, AT_ONCE // (raster.width * raster.pixel_bytes))
    for top in range(0, raster.height, band):
        rows = slice(top, min(raster.height, top + band))
        values = raster.parts[0](rows, slice(0, raster.width))
        if data := packer.compress(_told(values, named=raster.named).tobytes()):
            _chunk(file, b"IDAT", data)
    _chunk(file, b"IDAT", packer.flush())


def _told(values: Array, *, named: bool) -> Array:
    """The bytes of rows, each after the number of its filter: photographs pack better as differences."""
    height, step = len(values), (values.shape[2] if values.ndim == 3 else 1) * values.dtype.itemsize
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    out = np.empty((height, plain.shape[1] + 1), np.uint8)
    out[:, 0], out[:, 1:] = _AS_IT_IS if named else _FROM_LEFT, plain
    if not named:
        out[:, 1 + step :] -= plain[:, :-step]
    return out


def _chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))
