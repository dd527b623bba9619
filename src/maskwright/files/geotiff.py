"""What GeoTIFF's tags say: where the picture lies, and which value means that nothing was measured."""

import math
from typing import TYPE_CHECKING, Any, Final

from maskwright.files.georeference import Georeference, georeferenced

if TYPE_CHECKING:
    from tifffile import TiffPage

_SCALE, _TIEPOINTS, _MATRIX, _KEYS, _TEXTS, _NODATA = 33550, 33922, 34264, 34735, 34737, 42113
_RASTER_TYPE, _GEOGRAPHIC, _PROJECTED = 1025, 2048, 3072  # keys
_CITATIONS: Final = (3073, 1026, 2049)  # of the projection, of all, of the ellipsoid
_POINTS: Final = 2  # coordinates are those of pixels' middles, not of their corners
_OWN: Final = 32767  # no number of EPSG's: the coordinates are described in words


def place_of(page: "TiffPage") -> Georeference | None:
    """Where the page lies, or None: it does not say, or only by control points."""
    affine = _affine(page)
    if affine is None:
        return None
    keys = _keys(page)
    a, b, c, d, e, f = affine
    if keys.get(_RASTER_TYPE) == _POINTS:
        c, f = c - (a + b) / 2, f - (d + e) / 2
    return georeferenced((a, b, c, d, e, f), _crs(keys))


def nodata_of(page: "TiffPage") -> float | None:
    """The value that means no data, as GDAL writes it in a text; None if there is none."""
    try:
        value = float(str(page.tags.valueof(_NODATA, "")).strip("\0 "))
    except ValueError:
        return None
    return math.nan if math.isnan(value) else value


def _affine(page: "TiffPage") -> tuple[float, float, float, float, float, float] | None:
    matrix = _numbers(page, _MATRIX)
    if len(matrix) == 16:
        return matrix[0], matrix[1], matrix[3], matrix[4], matrix[5], matrix[7]
    scale, tiepoint = _numbers(page, _SCALE), _numbers(page, _TIEPOINTS)
    if len(scale) < 2 or len(tiepoint) != 6:
        return None
    (column, row, _, x, y, _), (across, down) = tiepoint, scale[:2]
    return across, 0.0, x - column * across, 0.0, -down, y + row * down


def _numbers(page: "TiffPage", code: int) -> tuple[float, ...]:
    value = page.tags.valueof(code)
    return tuple(map(float, value)) if isinstance(value, tuple) else ()


def _keys(page: "TiffPage") -> dict[int, Any]:
    """The keys of GeoTIFF that are numbers of 16 bits or texts."""
    table = page.tags.valueof(_KEYS)
    table = table if isinstance(table, tuple) else ()
    texts = page.tags.valueof(_TEXTS)
    texts = texts if isinstance(texts, str) else ""
    keys: dict[int, Any] = {}
    for start in range(4, len(table) - 3, 4):
        key, where, count, value = table[start : start + 4]
        if where == 0:
            keys[key] = value
        elif where == _TEXTS:
            keys[key] = texts[value : value + count].rstrip("|\0 ")
    return keys


def _crs(keys: dict[int, Any]) -> str:
    for key in (_PROJECTED, _GEOGRAPHIC):
        if 0 < keys.get(key, 0) < _OWN:
            return f"EPSG:{keys[key]}"
    return next((str(keys[key]) for key in _CITATIONS if keys.get(key)), "")
