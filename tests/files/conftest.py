"""Painted pictures, and a PNG writer of twenty lines that owes nothing to the libraries under test."""

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

Chunk = tuple[bytes, bytes]


@pytest.fixture
def paint() -> Callable[..., np.ndarray[Any, Any]]:
    """A picture in which no two places are alike, so that nothing can be mirrored or swapped unnoticed."""

    def paint(*shape: int, dtype: str = "uint8") -> np.ndarray[Any, Any]:
        top = 2 ** (8 * np.dtype(dtype).itemsize) - 1
        return np.random.default_rng(sum(shape)).integers(0, top, shape, dtype, endpoint=True)

    return paint


@pytest.fixture
def png_bytes() -> Callable[..., bytes]:
    """A PNG of any depth: `samples` (H, W, C) as they shall be stored, `kind` its type of colour."""

    def write(
        samples: np.ndarray[Any, Any],
        bits: int,
        kind: int,
        before: Sequence[Chunk] = (),
        after: Sequence[Chunk] = (),
    ) -> bytes:
        height, width, channels = samples.shape
        rows = samples.reshape(height, width * channels)
        if bits == 16:
            lines = [row.astype(">u2").tobytes() for row in rows]
        else:
            digits = (np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :] for row in rows)
            lines = [np.packbits(row.ravel()).tobytes() for row in digits]
        pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
        header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
        chunks = [(b"IHDR", header), *before, (b"IDAT", pixels), *after, (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )

    return write


@pytest.fixture
def exif_bytes() -> Callable[..., bytes]:
    """EXIF, without its `Exif` prefix, that states one orientation."""

    def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
        value = struct.pack(
            f"{order}HH" if kind == 3 else f"{order}I", *([orientation, 0] if kind == 3 else [orientation])
        )
        start = b"II*\0" if order == "<" else b"MM\0*"
        return start + struct.pack(f"{order}IHHHI", 8, 1, 274, kind, 1) + value + struct.pack(f"{order}I", 0)

    return exif
