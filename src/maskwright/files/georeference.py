"""Where on earth, or in a body or under a microscope, a picture lies."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.files.opening import opened
from maskwright.files.orientation import stored_place
from maskwright.files.stored import Array, Stored

Affine = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Georeference:
    """The way from pixels to a map: for `affine` (a, b, c, d, e, f), x = a·column + b·row + c and
    y = d·column + e·row + f.

    Column 0, row 0 is the outer corner of the first pixel; its centre is (0.5, 0.5). `crs` says in which coordinates
    x and y are, as `EPSG:32633` or as the file words it; empty where it does not say. `unit` is that of x and y where
    the file names it.
    """

    affine: Affine
    crs: str = ""
    unit: str = ""

    def to_map(self, pixels_N2: Array) -> Array:
        """The map's (x, y) of points (column, row), each (N, 2)."""
        a, b, c, d, e, f = self.affine
        return np.asarray(pixels_N2, float) @ np.array([[a, d], [b, e]]) + (c, f)

    def to_pixels(self, points_N2: Array) -> Array:
        """The (column, row) of points (x, y) of the map, each (N, 2)."""
        a, b, c, d, e, f = self.affine
        return (np.asarray(points_N2, float) - (c, f)) @ np.linalg.inv(np.array([[a, d], [b, e]]))


def georeferenced(affine: Affine, crs: str = "", unit: str = "") -> Georeference | None:
    """The georeference, or None if these numbers lead nowhere: not finite, or all pixels on one line."""
    a, b, _, d, e, _ = affine
    if not np.isfinite(affine).all() or a * e - b * d == 0:
        return None
    return Georeference(tuple(float(number) for number in affine), crs, unit)  # type: ignore[arg-type] # six they are


def read_georeference(path: str | Path, page: int | None = None, axes: str | None = None) -> Georeference | None:
    """Where the picture of `read_image(path, page, axes)` lies, or None if its file does not say.

    GeoTIFF says it in its tags, OME-Zarr in its scale and translation, NIfTI in its affine for slices that lie flat
    in x and y, JPEG 2000 and ERDAS files in their own ways (extra `geo`).

    Raises:
        ReadError: as for `read_image`.
    """
    with opened(path, page, axes) as stored:
        return upright_place(stored)


def upright_place(stored: Stored) -> Georeference | None:
    """Where an opened picture lies, counted from the corners of the upright one."""
    place = None if stored.georeference is None else stored.georeference()
    if place is None or stored.orientation == 1:
        return place
    # Pixels of the upright picture are counted from another corner.
    origin, right, down = (
        np.array(stored_place(column, row, stored.height, stored.width, stored.orientation), float)
        for column, row in ((0, 0), (1, 0), (0, 1))
    )
    start, along, below = place.to_map(np.stack([origin, right, down]))
    (a, d), (b, e), (c, f) = along - start, below - start, start
    return georeferenced((a, b, c, d, e, f), place.crs, place.unit)
