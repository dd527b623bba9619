"""CVAT's XML "for images" 1.1: polygons, rectangles, ellipses, masks and polylines.

Coordinates are measured from the corner of the first pixel, as ours. A shape with a higher `z_order` lies over one with
a lower, and a later one over an earlier. A mask's runs go along the rows of its box, first those without. Shapes of
one label and `group_id` above 0 are one object. Points, cuboids, skeletons and tags enclose nothing; a note counts
those that were left out.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any, ClassVar

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.filling import Points
from maskwright.files.annotations.geometry import Ellipse, Geometry, Lines, Polygons, Runs
from maskwright.files.annotations.record import AnnotatedImage, Annotations, Kind, Shape, class_names
from maskwright.files.annotations.registry import LINE_WIDTH_LINE, Reading, formats
from maskwright.files.annotations.values import (
    Entry,
    number_of,
    points_of,
    rectangle,
    size_of,
    text_of,
    turned,
    whole_of,
)


@formats.register("cvat")
class Cvat:
    """CVAT XML for images, of tasks, jobs and projects."""

    suffixes: ClassVar[tuple[str, ...]] = (".xml",)

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether the outermost element is `annotations`, with images or tracks or what CVAT says of the task."""
        root = content.xml
        return (
            root is not None and root.tag == "annotations" and bool({"image", "track", "meta"} & {e.tag for e in root})
        )

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """All images of the file, also those without shapes."""
        path, root = str(content.path), content.xml
        assert root is not None  # it was recognised
        if root.find("track") is not None:
            raise ReadError(
                f"{path} is CVAT's XML for video: it holds tracks, and no shapes frame by frame. Export the task again "
                'as "CVAT for images 1.1".'
            )
        left_out: Counter[str] = Counter()
        images = tuple(
            _image(entry, number, reading, path, left_out) for number, entry in enumerate(root.iter("image"))
        )
        labels = (name.text or "" for name in root.iterfind("./meta//labels/label/name"))
        notes = [f"{n} of {tag} in {path} enclose nothing and were left out." for tag, n in sorted(left_out.items())]
        if reading.line_width is None and any(shape.kind == "line" for image in images for shape in image.found):
            notes.append(f"The polylines of {path} have no width; they are drawn 1 pixel wide. {LINE_WIDTH_LINE}")
        return Annotations("cvat", images, class_names(images, filter(None, labels)), path, tuple(notes))


def _image(entry: ET.Element, number: int, reading: Reading, path: str, left_out: Counter[str]) -> AnnotatedImage:
    file = text_of(entry.get("name"), "the name", f"{path}, image {number}")
    shapes = []
    for place, element in enumerate(entry):
        with Entry(f"{path}, image {file}, shape {place}") as source:
            if (found := _geometry(element, reading, source)) is None:
                left_out[element.tag] += 1
                continue
            group = element.get("group_id", "0")
            shapes.append(
                Shape(
                    text_of(element.get("label"), "the label", source),
                    *found,
                    source,
                    None if group == "0" else group,
                    whole_of(element.get("z_order", 0), "z_order", source),
                )
            )
    source = f"{path}, image {file}"
    return AnnotatedImage(file, size_of(entry.get("height"), entry.get("width"), source), tuple(shapes))


def _geometry(element: ET.Element, reading: Reading, source: str) -> tuple[Kind, Geometry] | None:
    """Kind and place; None if the element encloses nothing."""

    def number(key: str, default: float | None = None) -> float:
        return number_of(element.get(key, default), key, source)

    match element.tag:
        case "polygon":
            return "polygon", Polygons(((_points(element, source),),))
        case "polyline":
            return "line", Lines((_points(element, source),), reading.line_width or 1.0)
        case "box":
            low, high = (number("xtl"), number("ytl")), (number("xbr"), number("ybr"))
            middle = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
            return "rectangle", Polygons(((turned(rectangle(low, high), number("rotation", 0), middle),),))
        case "ellipse":
            centre, radii = (number("cx"), number("cy")), (number("rx"), number("ry"))
            return "ellipse", Ellipse(centre, radii, number("rotation", 0))
        case "mask":
            return "runs", _mask(element, source)
    return None


def _points(element: ET.Element, source: str) -> Points:
    return points_of(element.attrib["points"].replace(";", ",").split(","), source)


def _mask(element: ET.Element, source: str) -> Runs:
    numbers: dict[str, Any] = {
        key: whole_of(element.get(key), key, source) for key in ("left", "top", "width", "height")
    }
    words = element.attrib["rle"].replace(",", " ").split()
    if min(numbers["width"], numbers["height"]) < 1 or not all(
        w.isascii() and w.isdigit() and len(w) < 12 for w in words
    ):
        raise ReadError(f"{source}: its run lengths are no whole numbers, or its box is empty. Export the file again.")
    counts = np.array(words, np.int64)
    return Runs(counts, (numbers["height"], numbers["width"]), (numbers["top"], numbers["left"]), by_columns=False)
