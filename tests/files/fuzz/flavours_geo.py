"""JPEG 2000, and ERDAS Imagine as GDAL writes it."""

import warnings
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from flavours import Data, flavours, picture


@flavours("jp2", ".jp2")
def _jpeg2000s() -> dict[str, Callable[[], Data]]:
    return {
        "rgb": lambda: imagecodecs.jpeg2k_encode(picture(3), codecformat="jp2"),
        "codestream": lambda: imagecodecs.jpeg2k_encode(picture(3), codecformat="j2k"),
        "grey16": lambda: imagecodecs.jpeg2k_encode(picture(dtype="uint16"), codecformat="jp2", reversible=True),
    }


def erdas(*channels: int, dtype: str = "uint8", **options: Any) -> Callable[[], bytes]:
    def paint() -> bytes:
        import rasterio

        array = picture(*(channels or (1,)), dtype=dtype)
        size = {"height": array.shape[0], "width": array.shape[1], "count": array.shape[2]}
        with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
            warnings.simplefilter("ignore")  # of pictures that lie nowhere on earth
            with memory.open(driver="HFA", dtype=dtype, **size, **options) as data:
                data.write(np.moveaxis(array, 2, 0))
            memory.seek(0)
            return bytes(memory.read())

    return paint


@flavours("erdas", ".img")
def _erdas() -> dict[str, Callable[[], Data]]:
    return {
        "grey": erdas(),
        "rgb": erdas(3),
        "packed": erdas(3, COMPRESSED="YES"),
        "float32": erdas(dtype="float32", nodata=-1.0),
        "uint16": erdas(2, dtype="uint16", COMPRESSED="YES"),
    }
