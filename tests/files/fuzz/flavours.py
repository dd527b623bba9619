"""Small healthy files of every format and flavour that can be read: the open table that the damage starts from.

A new reader adds a file `flavours_<format>.py` with a function that gives painters by name, decorated with
`@flavours(...)`; `test_fuzz.py` fails for a reader without one. A file is bytes; a picture that is a folder (Zarr)
is a dict from path to bytes.
"""

import importlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

Data = bytes | dict[str, bytes]
HEIGHT, WIDTH = 24, 33


@dataclass(frozen=True)
class Flavour:
    """How to paint one kind of file."""

    name: str
    family: str  # whose header it has: which lies it can tell
    suffix: str
    paint: Callable[[], Data]
    reader: str | None = None  # its name, where the first bytes do not say it


FLAVOURS: Final[dict[str, Flavour]] = {}


def flavours(family: str, suffix: str, reader: str | None = None) -> Callable[..., Any]:
    """A decorator: the function gives the files of a family, by name."""

    def keep(paint_all: Callable[[], dict[str, Callable[[], Data]]]) -> Any:
        for name, paint in paint_all().items():
            FLAVOURS[f"{family}-{name}"] = Flavour(f"{family}-{name}", family, suffix, paint, reader)
        return paint_all

    return keep


def picture(*channels: int, dtype: str = "uint8", size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray[Any, Any]:
    """A gradient with some noise: it compresses, and is not flat."""
    noise = np.random.default_rng(5).integers(0, 40, (*size, *channels))
    ramp = np.add.outer(np.arange(size[0]) * 4, np.arange(size[1]) * 2).reshape(*size, *[1] * len(channels))
    values = (noise + ramp) % 256
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype) / 7
    return (values * (257 if np.dtype(dtype).itemsize > 1 else 1)).astype(dtype)


def pillow(kind: str, mode: str = "RGB", **options: Any) -> Callable[[], bytes]:
    """What Pillow writes."""

    def paint() -> bytes:
        memory = io.BytesIO()
        image = Image.fromarray(picture(4), "RGBA").convert("RGB" if mode not in ("RGBA", "LA") else "RGBA")
        image.convert(mode).save(memory, kind, **options)
        return memory.getvalue()

    return paint


def animation(kind: str) -> Callable[[], bytes]:
    def paint() -> bytes:
        memory = io.BytesIO()
        frames = [Image.fromarray(np.roll(picture(3), step, 0)) for step in (0, 3, 9)]
        frames[0].save(memory, kind, save_all=True, append_images=frames[1:])
        return memory.getvalue()

    return paint


def exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 274, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def load() -> dict[str, Flavour]:
    """All flavours: each file of them beside this one is imported."""
    for path in sorted(Path(__file__).parent.glob("flavours_*.py")):
        importlib.import_module(path.stem)
    return FLAVOURS
