"""GeoJSON, one file an image: polygons with holes, and lines, in map coordinates or, as QuPath writes them, in pixels.

With the image's georeference (`Reading.pixel_to_map`) the coordinates are the map's; without, they are pixels from the
corner of the first one, as ours. Later features lie over earlier ones, as maps draw them. The class is a property of
the features, which is stated or looks like it; QuPath's is in `classification`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.filling import Points
from maskwright.files.annotations.geometry import Geometry, Lines, Polygons
from maskwright.files.annotations.record import FOREGROUND, AnnotatedImage, Annotations, Kind, Shape, class_names
from maskwright.files.annotations.registry import LINE_WIDTH_LINE, Reading, formats
from maskwright.files.annotations.values import FARTHEST, Entry, list_of, mapping_of, points_of, text_of

CLASS_PROPERTIES: Final = ("class", "class_name", "classname", "classification", "label", "category", "name", "type")
"""Properties, in small letters, that look like the class."""
CLASS_LINE: Final = "For another: annotations: {class_property: NAME} in dataset.yaml."
DEEPEST: Final = 20
"""Collections of geometries in each other."""


@formats.register("geojson")
class GeoJson:
    """GeoJSON features, of a map or of a picture."""

    suffixes: ClassVar[tuple[str, ...]] = (".geojson", ".json")

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether this is a feature, a collection of them, or a list of them as QuPath also writes it."""
        value = content.json
        if isinstance(value, list) and value:
            value = value[0]
        return isinstance(value, dict) and value.get("type") in ("FeatureCollection", "Feature")

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """The one image of the file, which is called like the file."""
        path, value = str(content.path), content.json
        crs = _crs(value)
        if crs and reading.pixel_to_map is None:
            raise ReadError(
                f"{path} is in coordinates of a map ({crs}), but its image has no georeference. Give a GeoTIFF, or "
                "delete `crs` if these are pixels."
            )
        features = [mapping_of(feature, "a feature", path) for feature in _features(value, path)]
        key, notes = _class_property(features, reading, path)
        shapes, skipped, unnamed = [], 0, 0
        for number, feature in enumerate(features):
            with Entry(f"{path}, feature {number}") as source:
                name = FOREGROUND if key is None else _name(feature, key, source)
                found = list(_geometries(feature.get("geometry"), reading, source))
                skipped += not found
                unnamed += bool(found) and name is None
                shapes += [Shape(name, *part, source, f"feature {number}") for part in found if name is not None]
        if skipped:
            notes.append(f"{skipped} features of {path} are points or empty; they enclose nothing and were left out.")
        if unnamed:
            notes.append(f"{unnamed} features of {path} have no {key}; they were left out.")
        if reading.line_width is None and any(shape.kind == "line" for shape in shapes):
            notes.append(f"The lines of {path} have no width; they are drawn 1 pixel wide. {LINE_WIDTH_LINE}")
        # `slide.tif.geojson` is of `slide.tif`, `slide.geojson` of a picture called `slide`.
        images = (AnnotatedImage(content.path.name, None, tuple(shapes), aliases=(content.path.stem,)),)
        return Annotations("geojson", images, class_names(images), path, tuple(notes), crs=crs)


def _features(value: Any, path: str) -> list[Any]:
    if isinstance(value, list):
        return [feature for entry in value for feature in _features(mapping_of(entry, "a feature", path), path)]
    if value.get("type") == "FeatureCollection":
        return list_of(value.get("features"), "features", path)
    return [value]


def _crs(value: Any) -> str:
    crs = value.get("crs") if isinstance(value, dict) else None
    properties = crs.get("properties") if isinstance(crs, dict) else None
    return str(properties.get("name", "unnamed")) if isinstance(properties, dict) else ""


def _class_property(features: list[dict[str, Any]], reading: Reading, path: str) -> tuple[str | None, list[str]]:
    """The property that is the class, or None if all features are of one; and what there is to say about it."""
    present = {key: None for feature in features for key in _properties(feature)}
    if reading.class_property is not None:
        if features and reading.class_property not in present:
            shown = ", ".join(list(present)[:10]) or "none"
            raise ReadError(
                f"{path}: no feature has the property {reading.class_property!r}. There are: {shown}. "
                "Say one of these in dataset.yaml: annotations: {class_property: NAME}."
            )
        return reading.class_property, []
    if any(isinstance(_properties(feature).get("classification"), dict) for feature in features):
        return "classification", []  # QuPath; its `name` is that of the single thing
    fitting = [key for key in present if key.lower() in CLASS_PROPERTIES]
    if len(fitting) > 1:
        raise ReadError(
            f"{path}: {', '.join(fitting)} could all be the class. Say in dataset.yaml which one is: "
            f"annotations: {{class_property: {fitting[0]}}}."
        )
    if not fitting:
        return None, [
            f"No property of {path} looks like a class; all features are taken for {FOREGROUND}. {CLASS_LINE}"
        ]
    return fitting[0], [f"The class of the features of {path} is taken to be their {fitting[0]}. {CLASS_LINE}"]


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    found = feature.get("properties")
    return found if isinstance(found, dict) else {}


def _name(feature: dict[str, Any], key: str, source: str) -> str | None:
    """The class of a feature; None if it has none."""
    value = _properties(feature).get(key)
    if isinstance(value, dict):
        value = value.get("name")
    return None if value is None else text_of(value, key, source)


def _geometries(value: Any, reading: Reading, source: str, depth: int = 0) -> Iterator[tuple[Kind, Geometry]]:
    """The parts of a geometry that enclose something, or are lines."""
    if value is None:
        return
    kind = mapping_of(value, "the geometry", source).get("type")
    if kind == "GeometryCollection":
        if depth > DEEPEST:
            raise ReadError(f"{source}: more than {DEEPEST} collections of geometries in each other.")
        for part in list_of(value["geometries"], "geometries", source):
            yield from _geometries(part, reading, source, depth + 1)
    elif kind in ("Polygon", "MultiPolygon"):
        polygons = [value["coordinates"]] if kind == "Polygon" else list_of(value["coordinates"], "coordinates", source)
        parts = tuple(
            tuple(_pixels(list_of(rings, "rings", source), reading, source, 3)) for rings in polygons if rings
        )
        if parts:
            yield "polygon", Polygons(parts)
    elif kind in ("LineString", "MultiLineString"):
        lines = [value["coordinates"]] if kind == "LineString" else value["coordinates"]
        strips = tuple(_pixels(list_of(lines, "lines", source), reading, source, 1))
        if strips:
            yield "line", Lines(strips, reading.line_width or 1.0)
    elif kind not in ("Point", "MultiPoint"):
        raise ReadError(f"{source}: {kind!r} is no geometry of GeoJSON. Export the file again.")


def _pixels(rings: Iterable[Any], reading: Reading, source: str, least: int) -> Iterator[Points]:
    for ring in rings:
        points = points_of(ring, source, least)
        if reading.pixel_to_map is not None:
            a, b, c, d, e, f = reading.pixel_to_map
            if not (abs(a * e - b * d) > 0 and np.isfinite(reading.pixel_to_map).all()):
                raise ReadError(f"{source}: the image's georeference leads nowhere: {reading.pixel_to_map}.")
            points = np.linalg.solve(np.array([[a, b], [d, e]]), (points - (c, f)).T).T
            if not (np.abs(points) <= FARTHEST).all():
                raise ReadError(f"{source}: it lies nowhere near the image. Are both in the same map coordinates?")
        yield points
