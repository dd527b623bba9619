"""Label Studio's JSON export: polygons, rectangles, ellipses and brush strokes, in percent of width and height.

Percents are measured from the corner of the first pixel, as our pixels. Later regions lie over earlier ones, as on its
canvas. A rectangle turns around its upper left corner, an ellipse around its middle, both clockwise. An uploaded image
has eight hexadecimal digits and a hyphen before its name; it is found with and without them.
"""

import re
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.annotations.brush import Brush
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.filling import Points, Size
from maskwright.files.annotations.geometry import Ellipse, Geometry, Polygons
from maskwright.files.annotations.record import AnnotatedImage, Annotations, Kind, Shape, class_names, parts_of
from maskwright.files.annotations.registry import Reading, formats
from maskwright.files.annotations.values import (
    Entry,
    list_of,
    mapping_of,
    number_of,
    points_of,
    rectangle,
    size_of,
    text_of,
    turned,
)
from maskwright.files.listing import IMAGE_SUFFIXES

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
_LABELS = re.compile(r"(polygon|rectangle|ellipse|brush)?labels$")


@formats.register("label-studio")
class LabelStudio:
    """Label Studio JSON: a list of tasks."""

    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether this is a list of tasks, each with its data and annotations."""
        value = content.json
        task = value[0] if isinstance(value, list) and value else None
        return isinstance(task, dict) and "data" in task and bool({"annotations", "completions"} & task.keys())

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """An image for each task and each person who annotated it; tasks that nobody did are left out."""
        path = str(content.path)
        images: list[AnnotatedImage] = []
        people: dict[str, None] = {}
        unlabelled = 0
        for number, task in enumerate(content.json):
            with Entry(f"{path}, task {number}") as source:
                found = mapping_of(task, "a task", source)
                source = f"{path}, task {found.get('id', number)}"
                done = list_of(found.get("annotations", found.get("completions", [])), "annotations", source)
                done = [entry for entry in done if not entry.get("was_cancelled")]
                for entry in done:
                    shapes, size, missed = _regions(list_of(entry["result"], "the result", source), source)
                    unlabelled += missed
                    person = _person(entry.get("completed_by"))
                    people[str(person)] = None
                    if reading.annotator not in (None, person):
                        continue
                    file, aliases = _names(found, source)
                    images.append(AnnotatedImage(file, size, shapes, aliases=aliases, annotator=person))
        if reading.annotator is not None and reading.annotator not in people:
            raise ReadError(
                f"{path} holds nothing that {reading.annotator!r} drew, but work of {', '.join(people) or 'nobody'}. "
                "Say one of these in dataset.yaml: annotations: {annotator: NAME}."
            )
        notes = (f"{unlabelled} regions of {path} have no label or no area; they were left out.",) if unlabelled else ()
        return Annotations("label-studio", tuple(images), class_names(images), path, notes)


def _regions(results: list[Any], source: str) -> tuple[tuple[Shape, ...], Size | None, int]:
    """The shapes, the image's size, and how many regions have no label or no area."""
    regions: dict[str, list[dict[str, Any]]] = {}
    for number, entry in enumerate(results):
        result = mapping_of(entry, "a region", source)
        if (
            isinstance(result.get("value"), dict)
            and not {"choices", "text", "rating", "number"} & result["value"].keys()
        ):
            # With separate tags for outline and label, a region is two results of one id.
            regions.setdefault(str(result.get("id", f"number {number}")), []).append(result)
    shapes, size, missed = [], None, 0
    for key, same in regions.items():
        with Entry(f"{source}, region {key}") as place:
            shape, size = _shape(same, place, size)
            if shape is None:
                missed += 1
            else:
                shapes.append(shape)
    return tuple(shapes), size, missed


def _shape(same: list[dict[str, Any]], source: str, known: Size | None) -> tuple[Shape | None, Size | None]:
    result = same[0]
    size = size_of(result.get("original_height"), result.get("original_width"), source) or known
    labels = [v for r in same for k, v in r["value"].items() if isinstance(k, str) and _LABELS.fullmatch(k) and v]
    if not labels:
        return None, size
    names = list_of(labels[0], "the labels", source)
    if len(names) != 1:
        raise ReadError(f"{source}: it has {len(names)} labels; a pixel has one class. Leave one.")
    if number_of(result.get("image_rotation", 0), "image_rotation", source) % 360:
        raise ReadError(f"{source}: the image was turned in Label Studio. Turn the file instead, and annotate that.")
    if size is None:
        raise ReadError(f"{source}: original_width and original_height are missing. Export the file again.")
    found = _geometry(result["value"], size, source)
    return (None if found is None else Shape(text_of(names[0], "the label", source), *found, source)), size


def _geometry(value: dict[str, Any], size: Size, source: str) -> tuple[Kind, Geometry] | None:
    def share(key: str, length: int) -> float:
        return number_of(value[key], key, source) * length / 100

    h, w = size
    turn = number_of(value.get("rotation", 0), "rotation", source)
    if "rle" in value:
        numbers = list_of(value["rle"], "rle", source)
        if not all(isinstance(number, int) and 0 <= number < 256 for number in numbers):
            raise ReadError(f"{source}: its brush is no list of bytes. Export the file again.")
        return "bitmap", Brush(bytes(numbers), size)
    if "points" in value:
        outline: Points = points_of(value["points"], source) * np.array([w, h]) / 100
        return "polygon", Polygons(((outline,),))
    if "radiusX" in value:
        return "ellipse", Ellipse((share("x", w), share("y", h)), (share("radiusX", w), share("radiusY", h)), turn)
    if "width" in value and "height" in value:
        x, y = share("x", w), share("y", h)
        corners = rectangle((x, y), (x + share("width", w), y + share("height", h)))
        return "rectangle", Polygons(((turned(corners, turn, (x, y)),),))
    return None


def _names(task: dict[str, Any], source: str) -> tuple[str, tuple[str, ...]]:
    """The image's name, and others it may go by: without what was put before it at the upload."""
    data = mapping_of(task["data"], "the data", source)
    found = [_path_in(value) for value in data.values() if isinstance(value, str)]
    pictures = [path for path in found if "." + path.rpartition(".")[2].lower() in IMAGE_SUFFIXES]
    upload = task.get("file_upload")
    if len(set(pictures)) > 1:
        raise ReadError(f"{source}: several images ({', '.join(pictures[:3])}); one a task was expected.")
    if not pictures and not isinstance(upload, str):
        raise ReadError(f"{source}: no value of its data ends like the name of an image. Export the file again.")
    file = text_of(pictures[0] if pictures else upload, "the image", source)
    name = parts_of(file)[-1]
    return file, (name[9:],) if _UPLOAD.match(name) else ()


def _path_in(value: str) -> str:
    """The path that a URL means: `/data/local-files/?d=a/b.png` is `a/b.png`."""
    try:
        url = urlsplit(value)
        asked = parse_qs(url.query).get("d")
    except ValueError:
        return value
    if asked:
        return asked[0]
    # A path on somebody's disk may hold what looks like a URL's signs.
    return unquote(url.path) if url.scheme or value.startswith("/data/") else value


def _person(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("email") or value.get("id")
    return None if value is None else str(value)
