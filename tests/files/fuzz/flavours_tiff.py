"""TIFF of every layout and packing."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import tifffile
from flavours import HEIGHT, Data, flavours, picture, pillow


def tiff(*channels: int, dtype: str = "uint8", pages: int = 1, **options: Any) -> Callable[[], bytes]:
    """What tifffile writes. `pages`: written one by one."""
    file = {name: options.pop(name) for name in ("bigtiff", "byteorder", "imagej", "ome") if name in options}
    values = options.pop("values", None)

    def paint() -> bytes:
        memory = io.BytesIO()
        with tifffile.TiffWriter(memory, **file) as writer:
            for page in range(pages):
                array = picture(*channels, dtype=dtype) if values is None else values
                writer.write(np.roll(array, page, 0), **options)
        return memory.getvalue()

    return paint


@flavours("tiff", ".tif")
def _tiffs() -> dict[str, Callable[[], Data]]:
    grey = {"photometric": "minisblack", "metadata": None}
    rgb = {"photometric": "rgb", "metadata": None}
    tiles = {"tile": (16, 16)}
    palette = np.random.default_rng(2).integers(0, 2**16, (3, 256)).astype(np.uint16)
    made = {
        "grey": tiff(**grey),
        "bilevel": tiff(**grey, values=picture() > 90),
        "grey16": tiff(dtype="uint16", **grey, byteorder=">"),
        "int16": tiff(dtype="int16", **grey),
        "uint32": tiff(dtype="uint32", **grey),
        "uint64": tiff(dtype="uint64", **grey),
        "float16": tiff(dtype="float16", **grey),
        "float32": tiff(dtype="float32", **grey),
        "float64": tiff(dtype="float64", **grey, compression="zlib"),
        "complex": tiff(dtype="complex64", **grey),
        "white-is-zero": tiff(photometric="miniswhite", metadata=None),
        "twelve-bits": tiff(**grey, values=picture(dtype="uint16") >> 4, bitspersample=12),
        "rgb": tiff(3, **rgb),
        "rgba": tiff(4, **rgb, extrasamples=["unassalpha"]),
        "seven-bands": tiff(7, **grey, planarconfig="contig"),
        "planar": tiff(
            dtype="uint16", values=np.moveaxis(picture(3, dtype="uint16"), 2, 0), planarconfig="separate",
            photometric="rgb", metadata=None, compression="zlib",
        ),
        "palette": tiff(photometric="palette", colormap=palette, metadata=None),
        "strips": tiff(3, **rgb, rowsperstrip=5),
        "strips-lzw": tiff(**grey, rowsperstrip=5, compression="lzw"),
        "strips-predictor": tiff(dtype="uint16", **grey, rowsperstrip=5, compression="zlib", predictor=True),
        "tiles": tiff(**grey, **tiles),
        "tiles-zlib": tiff(3, **rgb, **tiles, compression="zlib", predictor=True),
        "tiles-float": tiff(dtype="float32", **grey, **tiles, compression="zlib", predictor=3),
        "tiles-lzw": tiff(3, dtype="uint16", **rgb, **tiles, compression="lzw"),
        "bigtiff": tiff(3, **rgb, bigtiff=True, rowsperstrip=5),
        "bigtiff-tiles": tiff(**grey, **tiles, bigtiff=True, compression="zstd", byteorder=">"),
        "pages": tiff(**grey, pages=4),
        "pages-lzw": tiff(3, **rgb, pages=3, compression="lzw"),
        "pages-bigtiff": tiff(**grey, pages=4, bigtiff=True),
        "shaped": tiff(photometric="minisblack", values=np.stack([picture(dtype="uint16")] * 5)),
        "imagej": tiff(photometric="minisblack", imagej=True, values=np.stack([picture(dtype="uint16")] * 5)),
        "cmyk": tiff(4, photometric="separated", metadata=None),
        "orientation": tiff(**grey, extratags=[(274, 3, 1, 6, True)]),
        "by-pillow": pillow("TIFF", compression="tiff_lzw"),
        "group4": pillow("TIFF", "1", compression="group4"),
        "group3": pillow("TIFF", "1", compression="group3"),
        "ccitt": pillow("TIFF", "1", compression="tiff_ccitt"),
        "palette-by-pillow": pillow("TIFF", "P"),
        "jpeg-by-pillow": pillow("TIFF", compression="jpeg"),
    }  # fmt: skip
    packed = ("zlib", "zstd", "lzma", "packbits", "lzw", "jpeg", "jpeg2000", "webp", "png", "jpegxl", "jpegxr", "lerc")
    made |= {f"rgb-{kind}": tiff(3, **rgb, compression=kind, rowsperstrip=HEIGHT) for kind in packed}
    made |= {f"tiles-{kind}": tiff(3, **rgb, **tiles, compression=kind) for kind in ("jpeg", "jpeg2000", "webp")}
    return made


@flavours("tiff", ".ome.tif")
def _ome() -> dict[str, Callable[[], Data]]:
    stack = np.stack([picture(dtype="uint16")] * 3)
    return {
        "ome": tiff(ome=True, values=picture(dtype="uint16"), photometric="minisblack"),
        "ome-channels": tiff(ome=True, values=stack, photometric="minisblack", metadata={"axes": "CYX"}),
        "ome-depth": tiff(ome=True, values=stack, photometric="minisblack", metadata={"axes": "ZYX"}, tile=(16, 16)),
    }
