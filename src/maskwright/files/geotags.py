"""Georeferences as the tags of GeoTIFF."""

import importlib.util
import io
import warnings
from typing import Final

from maskwright.files.georeference import Georeference
from maskwright.files.origins import Origin, Tag, tags_of

_PROJECTED, _GEOGRAPHIC = 1, 2
_OWN: Final = 32767  # no number of EPSG's: the coordinates are described in words
_CORNERS: Final = (1025, 0, 1, 1)  # coordinates are those of pixels' corners


def geo_tags(origin: Origin) -> tuple[Tag, ...]:
    """The tags that put a picture where its origin lies: those of its file as they are, else made anew.

    The package rasterio, where it is installed, knows every coordinate system; without it those are written that EPSG
    numbers, and others by their name.
    """
    place = origin.georeference
    if origin.tags or place is None:
        return origin.tags
    if not place.crs and origin.kind != "tiff":
        return ()  # micrometres of a microscope are no map
    if place.crs and importlib.util.find_spec("rasterio") is not None and (found := _by_gdal(place)):
        return found
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
    if name.upper() == "EPSG" and number.isdigit() and 0 < int(number) < _OWN:
        geographic = int(number) in _DEGREES
        model = _GEOGRAPHIC if geographic else _PROJECTED
        return _table((1024, 0, 1, model), _CORNERS, (2048 if geographic else 3072, 0, 1, int(number)))
    if not crs:
        return ()
    words = crs.encode("ascii", "replace").decode("ascii") + "|"
    table = _table((1024, 0, 1, _OWN), _CORNERS, (1026, 34737, len(words), 0))
    return (*table, (34737, 2, 0, words, True))


def _table(*keys: tuple[int, int, int, int]) -> tuple[Tag, ...]:
    table = (1, 1, 0, len(keys), *(number for key in keys for number in key))
    return ((34735, 3, len(table), table, True),)


def _by_gdal(place: Georeference) -> tuple[Tag, ...]:
    """The tags of a picture of one pixel that GDAL writes there; none where it does not know the coordinates."""
    import rasterio
    from rasterio.errors import CRSError
    from tifffile import TiffFile

    with warnings.catch_warnings(), rasterio.MemoryFile() as memory:
        warnings.simplefilter("ignore")
        try:
            with memory.open(
                driver="GTiff", width=1, height=1, count=1, dtype="uint8", crs=place.crs,
                transform=rasterio.Affine(*place.affine),
            ):  # fmt: skip
                pass
        except CRSError:
            return ()
        with TiffFile(io.BytesIO(memory.read())) as file:
            return tags_of(file.pages.first)
