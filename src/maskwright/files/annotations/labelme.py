"""labelme's JSON, one file an image, versions 3 to 5: polygons, rectangles, circles, lines, points and masks.

Coordinates are measured from the corner of the first pixel, as ours, but none gets beyond width - 1 and height - 1: who
draws up to the border ends there. So outlines that touch these are taken to reach the border. labelme itself draws the
outline on top of the area; its masks are about half a pixel wider all around. Later shapes lie over earlier ones, lines
are 10 pixels wide and points have a radius of 5, as `labelme.utils.shapes_to_label` draws them. Shapes of one label and
`group_id` are one object. By convention `__ignore__` counts nowhere and `_background_` is no class.
"""

import base64
import binascii
import io
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import ReadError
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.filling import Points, Size, Stamp
from maskwright.files.annotations.geometry import Ellipse, Geometry, Lines, Polygons, placed
from maskwright.files.annotations.record import AnnotatedImage, Annotations, Kind, Shape, class_names, parts_of, stem_of
from maskwright.files.annotations.registry import Reading, formats
from maskwright.files.annotations.values import Entry, list_of, mapping_of, points_of, rectangle, size_of, text_of
from maskwright.files.readers import readers

LINE_WIDTH: Final = 10.0
POINT_RADIUS: Final = 5.0
IGNORE, BACKGROUND = "__ignore__", "_background_"


@formats.register("labelme")
class Labelme:
    """labelme JSON, one file an image."""

    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether this is an object with shapes and the image they belong to."""
        value = content.json
        return isinstance(value, dict) and "shapes" in value and bool({"imagePath", "imageData"} & value.keys())

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """The one image of the file; the picture that may be embedded in it is passed over."""
        path, value = str(content.path), content.json
        size = size_of(value.get("imageHeight"), value.get("imageWidth"), path)
        shapes = []
        for number, entry in enumerate(list_of(value["shapes"], "shapes", path)):
            with Entry(f"{path}, shape {number}") as source:
                shapes.append(_shape(mapping_of(entry, "a shape", source), size, reading, source))
        file = text_of(value.get("imagePath") or content.path.stem, "imagePath", path)
        name = parts_of(file)[-1]
        notes: tuple[str, ...] = ()
        aliases: tuple[str, ...] = ()
        if stem_of(name) != content.path.stem:
            # Pictures are renamed together with their JSON, which does not change what stands in it.
            aliases = (name.replace(stem_of(name), content.path.stem, 1),)
            notes = (f"{path} says that it is of {name}; it is also taken for that of {aliases[0]}.",)
        images = (AnnotatedImage(file, size, tuple(shapes), aliases=aliases),)
        return Annotations("labelme", images, class_names(images), path, notes)


@dataclass(frozen=True, eq=False, slots=True)
class EmbeddedMask:
    """A mask h w as the text of a PNG, with its first pixel at `corner` (row, column)."""

    text: str
    corner: tuple[int, int]
    box: Size

    def area(self) -> float:
        """Half of its box: near enough, and nothing need be decoded."""
        return self.box[0] * self.box[1] / 2

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels that are not 0."""
        box = placed(self.box, self.corner, size)
        try:
            return box, _decoded(self.text, self.box)
        except (ReadError, MemoryError):
            raise
        except binascii.Error as error:
            raise ReadError(f"its mask is no base64 ({error}). Export the file again.") from error
        except Exception as error:  # a decoder raises whatever it stumbles over in damaged bytes
            raise ReadError(f"its mask is no PNG ({error}). Export the file again.") from error


def _decoded(text: str, box: Size) -> NDArray[np.bool_]:
    try:
        stored = readers["png"].open(io.BytesIO(base64.b64decode(text, validate=True)))
    except ReadError as error:
        raise ReadError(f"its mask {error}") from error.__cause__
    # The header is compared before anything is unpacked: the box lies in the image, so it cannot be absurd.
    if (stored.height, stored.width) != box:
        raise ReadError(f"its mask is {stored.height}×{stored.width}, its corners say {box[0]}×{box[1]}.")
    return np.ascontiguousarray(stored.decode()[:, :, 0] != 0)


def _shape(entry: dict[str, Any], size: Size | None, reading: Reading, source: str) -> Shape:
    name = text_of(entry["label"], "the label", source)
    group = entry.get("group_id")
    kind, geometry = _geometry(entry, size, reading, source)
    return Shape(
        name,
        kind,
        geometry,
        source,
        None if group is None else str(group),
        ignored=name == IGNORE,
        background=name == BACKGROUND,
    )


def _geometry(entry: dict[str, Any], size: Size | None, reading: Reading, source: str) -> tuple[Kind, Geometry]:
    way = entry.get("shape_type") or "polygon"  # version 3 knows polygons only, and does not say so
    points = points_of(entry["points"], source)
    width = reading.line_width or LINE_WIDTH
    if (
        way in ("rectangle", "circle", "mask", "line")
        and len(points) != 2
        and not (way, len(points)) == ("rectangle", 4)
    ):
        raise ReadError(f"{source}: a {way} has 2 points, but here are {len(points)}. Draw it again.")
    if way in ("polygon", "oriented_rectangle", "rotation") or (way == "rectangle" and len(points) == 4):
        return "polygon" if way == "polygon" else "rectangle", Polygons(((_to_border(points, size),),))
    if way == "rectangle":
        return "rectangle", Polygons(((_to_border(rectangle(tuple(points[0]), tuple(points[1])), size),),))
    if way == "circle":
        radius = math.dist(points[0], points[1])
        return "ellipse", Ellipse(tuple(points[0].tolist()), (radius, radius))
    if way in ("line", "linestrip"):
        return "line", Lines((points,), width)
    if way in ("point", "points"):
        return "point", Lines(tuple(point[None] for point in points), 2 * POINT_RADIUS)
    if way == "mask":
        return "bitmap", _mask(entry["mask"], points, source)
    raise ReadError(
        f"{source}: it is a {way!r}, which we do not know; known are polygon, rectangle, circle, line, linestrip, "
        "point and mask. Draw it as one of these."
    )


def _to_border(points: Points, size: Size | None) -> Points:
    if size is None:
        return points
    border = np.array([size[1], size[0]], float)
    return np.where(points >= border - 1, np.maximum(points, border), points)


def _mask(text: Any, points: Points, source: str) -> EmbeddedMask:
    # The corners are the first and the last pixel, both inside.
    (left, top), (right, bottom) = points.astype(int).tolist()
    if not isinstance(text, str) or right < left or bottom < top:
        raise ReadError(f"{source}: a mask has a PNG as text, and its upper left corner first. Draw it again.")
    return EmbeddedMask(text, (top, left), (bottom - top + 1, right - left + 1))
