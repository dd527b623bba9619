"""Rasters become TIFF, by tiles and in bounded memory: BigTIFF where it has to be, with smaller copies beside, with the
tags of GeoTIFF and GDAL.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from xml.sax.saxutils import escape

import numpy as np

from maskwright.files.encoding import FILLER
from maskwright.files.geotags import geo_tags
from maskwright.files.origins import Origin, Tag
from maskwright.files.rasters import Raster, Scratch, in_memory, smaller
from maskwright.files.stored import Array
from maskwright.records import replacing

if TYPE_CHECKING:
    from tifffile import TiffWriter

TILE: Final = 512
BIG_FROM: Final = 2**32 - 2**25
"""Bytes from which a file is BigTIFF, whose places have 64 bits. What does not pack is as long as it was, and a
little more.
"""
_NODATA, _METADATA = 42113, 42112
_ASCII: Final = 2


def write_tiff(
    path: Path,
    raster: Raster,
    origin: Origin,
    *,
    scratch: Scratch = in_memory,
    compression: Literal["zlib", "zstd"] = "zlib",
) -> Path:
    """Write a raster as a tiled TIFF, atomically; where its origin lies, with smaller copies where that is large or had
    some. Returns the path.

    scratch: gives planes for the smaller copies.
    """
    from tifffile import TiffWriter

    big = raster.size * (4 / 3 if origin.wants_pyramid else 1) > BIG_FROM
    with replacing(path) as temporary, TiffWriter(temporary, bigtiff=big) as file:
        _write(file, raster, compression, [*geo_tags(origin), *_own_tags(raster)], origin, 0)
        if origin.wants_pyramid:
            for copy in smaller(raster, scratch):
                _write(file, copy, compression, _nodata(copy), origin, 1)
    return path


def _write(file: "TiffWriter", raster: Raster, compression: str, tags: list[Tag], origin: Origin, kind: int) -> None:
    shape: tuple[int, ...] = (raster.height, raster.width)
    options: dict[str, Any] = {"photometric": "minisblack"}
    if raster.channels > 1:
        shape, options["photometric"], options["planarconfig"] = (*shape, raster.channels), "rgb", "contig"
    elif len(raster.parts) > 1:
        shape, options["planarconfig"] = (len(raster.parts), *shape), "separate"
        options["extrasamples"] = [0] * (len(raster.parts) - 1)  # just further bands: none of them is alpha
    if raster.palette is not None:
        colours = np.full((3, 256), FILLER, np.uint16)
        colours[:, : len(raster.palette)] = raster.palette.T.astype(np.uint16) * 257
        options |= {"photometric": "palette", "colormap": colours}
    if origin.resolution is not None and not kind:
        across, down, unit = origin.resolution
        options |= {"resolution": (across, down), "resolutionunit": unit}
    side = min(TILE, -(-max(raster.height, raster.width) // 16) * 16)
    # Neighbours differ little in all but masks: what is packed is how much.
    floats = np.dtype(raster.dtype).kind == "f"
    predictor = False if raster.named else (3 if floats else 2)
    file.write(
        _tiles(raster, side), shape=shape, dtype=raster.dtype, tile=(side, side), compression=compression,
        predictor=predictor, subfiletype=kind, extratags=tags, metadata=None, software=False, maxworkers=1, **options,
    )  # fmt: skip


def _tiles(raster: Raster, side: int) -> Iterator[Array]:
    """The tiles as TIFF wants them, row by row, band by band; what is beyond the border is 0."""
    for part in raster.parts:
        for top in range(0, raster.height, side):
            rows = slice(top, min(raster.height, top + side))
            for values in raster.windows(part, rows, side):
                for left in range(0, values.shape[1], side):
                    tile = values[:, left : left + side]
                    missing = ((0, side - tile.shape[0]), (0, side - tile.shape[1]), (0, 0))
                    yield np.ascontiguousarray(np.pad(tile, missing[: tile.ndim]))


def _own_tags(raster: Raster) -> list[Tag]:
    if not raster.bands:
        return _nodata(raster)
    items = "".join(
        f'  <Item name="DESCRIPTION" sample="{number}" role="description">{escape(escape(name))}</Item>\n'
        for number, name in enumerate(raster.bands)
    )
    return [*_nodata(raster), (_METADATA, _ASCII, 0, f"<GDALMetadata>\n{items}</GDALMetadata>".encode(), True)]


def _nodata(raster: Raster) -> list[Tag]:
    return [] if raster.nodata is None else [(_NODATA, _ASCII, 0, f"{raster.nodata:.17g}", True)]
