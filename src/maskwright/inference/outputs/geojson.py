"""Contours as GeoJSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from maskwright.errors import SettingError
from maskwright.files import Origin
from maskwright.inference.outputs.registry import THINGS, beside, outputs
from maskwright.inference.result import Result
from maskwright.inference.things import Thing, things
from maskwright.records import Record, replacing
from maskwright.regions.outlines import simplified

Points = NDArray[np.float64]


@outputs.register("geojson")
class GeoJson(Record):
    """Contours along the edges of pixels: a feature for each object, or each piece of a class; holes are holes.

    In the image's map coordinates where it has some, else in pixels, as QuPath has them. RFC 7946 knows longitude and
    latitude only; for other coordinates the member `crs` of the format before it (2008) says which, and GDAL, QGIS and
    GeoPandas follow it. A tool that does not is served by `wgs84`.

    Properties: `class`, `pixels`; `area` on a map, in its units; `score`, the mean probability of an object.
    """

    about: ClassVar[str] = (
        "STEM.geojson: contours, in map coordinates where known, else pixels; QGIS, GeoPandas, QuPath"
    )
    needs: ClassVar[frozenset[str]] = frozenset({THINGS})

    coordinates: Literal["map", "wgs84", "pixels"] = "map"
    simplify: float | None = Field(None, gt=0, lt=1000)
    """How far a contour may move, in pixels, to have fewer corners; neighbours may then overlap. None: exact."""

    def path(self, origin: Origin, target: Path) -> Path:
        """STEM.geojson."""
        return beside(target, ".geojson")

    def write(self, result: Result, target: Path) -> Path:
        """Write the features, one after the other.

        Raises:
            SettingError: wgs84 is asked of an image that lies on no map that we know, or without the package for it.
        """
        path = self.path(result.origin, target)
        place, crs, area = self._way(result)
        head = {"type": "FeatureCollection", "name": target.name} | ({} if crs is None else {"crs": crs})
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "features": [')
            for number, thing in enumerate(things(result)):
                feature = self._feature(thing, result, place, area)
                file.write((",\n" if number else "\n") + json.dumps(feature, ensure_ascii=False))
            file.write("\n]}\n")
        return path

    def _feature(
        self, thing: Thing, result: Result, place: Callable[[Points], Points] | None, area: float | None
    ) -> dict[str, Any]:
        kind = result.classes.classes[thing.label]
        properties: dict[str, Any] = {"class": kind.name, "pixels": thing.area}
        if area is not None:
            properties["area"] = thing.area * area
        if thing.score is not None:
            properties["score"] = round(thing.score, 6)
        if place is None:
            # What QuPath sorts by.
            properties |= {"objectType": "annotation", "classification": {"name": kind.name, "color": kind.colour}}
        polygons = [self._rings(outline, place) for outline in thing.outlines]
        geometry: dict[str, Any] = {"type": "Polygon", "coordinates": polygons[0]}
        if len(polygons) > 1:
            geometry = {"type": "MultiPolygon", "coordinates": polygons}
        return {"type": "Feature", "id": thing.number, "properties": properties, "geometry": geometry}

    def _rings(self, outline: Any, place: Callable[[Points], Points] | None) -> list[list[list[float]]]:
        """The rings as the format wants them: closed, the outer one counter-clockwise, holes clockwise."""
        rings = outline.rings if self.simplify is None else simplified(outline, self.simplify)
        found = []
        for number, ring in enumerate(rings):
            points = ring if place is None else place(ring)
            if (_turn(points) > 0) != (number == 0):
                points = points[::-1]
            found.append(np.concatenate([points, points[:1]]).tolist())
        return found

    def _way(self, result: Result) -> tuple[Callable[[Points], Points] | None, dict[str, Any] | None, float | None]:
        """From pixels to the coordinates that are written, what to call them, and the area of a pixel there."""
        origin, place = result.origin, result.origin.georeference
        on_a_map = place is not None and (origin.on_a_map or origin.kind == "tiff")
        if self.coordinates == "pixels" or (self.coordinates == "map" and not on_a_map):
            return None, None, None
        if place is None or (self.coordinates == "wgs84" and not place.crs):
            raise SettingError(
                f"{result.name} does not say where on earth it lies, so its contours have no longitude and latitude. "
                "Ask for geojson=map or geojson=pixels."
            )
        a, b, _, d, e, _ = place.affine
        if self.coordinates == "map":
            return place.to_map, _named(place.crs), abs(a * e - b * d)
        to_degrees = _degrees(place.crs, result.name)
        return lambda points: to_degrees(place.to_map(points)), None, None


def _turn(points_N2: NDArray[Any]) -> float:
    """Twice the area inside, above 0 where x turns to y."""
    x, y = (points_N2 - points_N2[0]).T.astype(np.float64)
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _named(crs: str) -> dict[str, Any] | None:
    """The member `crs`; none for longitude and latitude, which are meant without."""
    authority, _, number = crs.partition(":")
    if not crs or crs.upper() in ("EPSG:4326", "OGC:CRS84"):
        return None
    name = f"urn:ogc:def:crs:EPSG::{number}" if authority.upper() == "EPSG" and number.isdigit() else crs
    return {"type": "name", "properties": {"name": name}}


def _degrees(crs: str, name: str) -> Callable[[Points], Points]:
    """From a map's x and y to longitude and latitude."""
    try:
        from rasterio.warp import transform
    except ImportError:
        raise SettingError(
            "Longitude and latitude need the package rasterio: `pip install maskwright[geo]`; or ask for geojson=map."
        ) from None
    from rasterio.errors import RasterioError

    def degrees(points: Points) -> Points:
        try:
            return np.column_stack(transform(crs, "EPSG:4326", *points.T.tolist())[:2])
        except RasterioError as error:
            raise SettingError(
                f"{name}: its coordinates, {crs!r}, cannot be turned into degrees ({error}). Ask for geojson=map."
            ) from error

    return degrees
