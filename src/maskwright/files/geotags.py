"""Georeferences as the tags of GeoTIFF."""

import importlib.util
import warnings
from typing import Final

from maskwright.files.georeference import Georeference
from maskwright.files.origins import GEO_TAGS, Origin, Tag

_PROJECTED, _GEOGRAPHIC = 1, 2


def geo_tags(origin: Origin) -> tuple[Tag, ...]:
    """The tags that put a picture where its origin lies: those of its file as they are, else made anew.

    The package rasterio, where it is installed, knows every coordinate system; without it those are written that EPSG
    numbers, and of others the place without its system.
    """
    place = origin.georeference
    if origin.tags or place is None:
        return origin.tags
    if not place.crs and origin.kind != "tiff":
        return ()  # micrometres of a microscope are no map
    if place.crs and importlib.util.find_spec("rasterio") is not None:
        return _by_gdal(place)
    return (*_place(place), *_numbered(place.crs))


def _place(place: Georeference) -> tuple[Tag, ...]:
    a, b, c, d, e, f = place.affine
    if b == d == 0 and a > 0 > e:
        return (33550, 12, 3, (a, -e, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, c, f, 0.0), True)
    return ((34264, 12, 16, (a, b, 0.0, c, d, e, 0.0, f, *[0.0] * 7, 1.0), True),)


# What EPSG numbers from 4000 to 4999 are coordinates of longitude and latitude; nearly all others are of a map.
_DEGREES: Final = range(4000, 5000)


def _numbered(crs: str) -> tuple[Tag, ...]:
    name, _, number = crs.partition(":")
    if name.upper() != "EPSG" or not number.isdigit() or not 0 < int(number) < 32767:
        return ()
    geographic = int(number) in _DEGREES
    keys = (
        (1024, 0, 1, _GEOGRAPHIC if geographic else _PROJECTED),
        (1025, 0, 1, 1),  # coordinates are those of corners
        (2048 if geographic else 3072, 0, 1, int(number)),
    )
    table = (1, 1, 0, len(keys), *(number for key in keys for number in key))
    return ((34735, 3, len(table), table, True),)


def _by_gdal(place: Georeference) -> tuple[Tag, ...]:
    """The tags of a picture of one pixel that GDAL writes there."""
    import io

    import rasterio
    from tifffile import TiffFile

    from maskwright.files.origins import _tags

    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore")
        with memory.open(
            driver="GTiff", width=1, height=1, count=1, dtype="uint8", crs=place.crs,
            transform=rasterio.Affine(*place.affine),
        ):  # fmt: skip
            pass
        with TiffFile(io.BytesIO(memory.read())) as file:
            return tuple(_tags(file.pages.first, GEO_TAGS))
