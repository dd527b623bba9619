"""COCO JSON: `images`, `annotations` and `categories`; objects as polygons or as run lengths.

Coordinates are measured from the corner of the first pixel, as ours. The format does not say which of two overlapping
objects lies over the other, and the order of annotations means nothing; here the smaller lies over the larger, since
the larger would swallow it, and a crowd lies under all objects.
"""

from collections import Counter
from typing import Any, ClassVar

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.annotations.coco_runs import decode_counts
from maskwright.files.annotations.content import Content
from maskwright.files.annotations.geometry import Geometry, Polygons, Runs
from maskwright.files.annotations.record import AnnotatedImage, Annotations, Kind, Shape, class_names
from maskwright.files.annotations.registry import Reading, formats
from maskwright.files.annotations.values import Entry, list_of, mapping_of, points_of, size_of, text_of, whole_of


@formats.register("coco")
class Coco:
    """COCO instance JSON: polygons, run lengths, crowds."""

    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether this is an object with images and annotations, or images and categories."""
        value = content.json
        return isinstance(value, dict) and "images" in value and ("annotations" in value or "categories" in value)

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """All images of the file, also those without objects."""
        path, value = str(content.path), content.json
        names, parents = _categories(list_of(value.get("categories", []), "categories", path), path)
        entries = list_of(value["images"], "images", path)
        shapes: dict[Any, list[Shape]] = {}
        for number, image in enumerate(entries):
            with Entry(f"{path}, image {number}") as source:
                if mapping_of(image, "an image", source)["id"] in shapes:
                    raise ReadError(f"{source}: the id {image['id']!r} is that of another image, too.")
                shapes[image["id"]] = []
        without = _fill(shapes, list_of(value.get("annotations", []), "annotations", path), names, path)
        images = tuple(_image(image, shapes[image["id"]], path) for image in entries)
        notes = (f"{without} objects of {path} have a box and no outline; they were left out.",) if without else ()
        return Annotations("coco", images, class_names(images, names.values()), path, notes, parents)


def _categories(entries: list[Any], path: str) -> tuple[dict[Any, str], dict[str, str]]:
    """Id → name in order of id, and name → supercategory; namesakes are told apart by their supercategory."""
    found = []
    for number, category in enumerate(entries):
        with Entry(f"{path}, category {number}") as source:
            key = whole_of(category["id"], "the id", source)
            name = text_of(category["name"], "the name", source)
            parent = category.get("supercategory")
            found.append((key, name, parent if isinstance(parent, str) else ""))
    times = Counter(name for _, name, _ in found)
    taken: set[str] = set()
    names: dict[Any, str] = {}
    parents: dict[str, str] = {}
    for key, name, parent in sorted(found):
        full = name if times[name] == 1 else f"{parent}/{name}"
        if key in names or full in taken:
            raise ReadError(f"{path}: two categories have the id {key} or the name {full!r}. Give each its own.")
        names[key] = full
        taken.add(full)
        if parent and parent not in (name, "none"):
            parents[full] = parent
    return names, parents


def _fill(shapes: dict[Any, list[Shape]], entries: list[Any], names: dict[Any, str], path: str) -> int:
    """Put each annotation with its image. Returns how many have no outline."""
    without = 0
    for number, entry in enumerate(entries):
        key = entry.get("id", number) if isinstance(entry, dict) else f"number {number}"
        with Entry(f"{path}, annotation {key}") as source:
            if "segments_info" in entry:
                raise ReadError(
                    f"{path} is of COCO's panoptic kind, whose outlines are in PNG files. Give the instances_*.json."
                )
            if entry["image_id"] not in shapes:
                raise ReadError(f"{source}: there is no image with the id {entry['image_id']!r}.")
            if entry["category_id"] not in names:
                raise ReadError(f"{source}: there is no category with the id {entry['category_id']!r}.")
            segmentation = entry.get("segmentation")
            if not segmentation:
                without += 1
                continue
            kind, geometry = _geometry(segmentation, source)
            crowd = bool(entry.get("iscrowd", 0))
            shapes[entry["image_id"]].append(
                Shape(
                    names[entry["category_id"]],
                    kind,
                    geometry,
                    source,
                    layer=-1 if crowd else 0,
                    crowd=crowd,
                    ignored=crowd or bool(entry.get("ignore", 0)),
                )
            )
    if without and without == len(entries):
        raise ReadError(f"{path} holds boxes only: no annotation has a segmentation. Masks cannot be drawn from boxes.")
    return without


def _geometry(segmentation: Any, source: str) -> tuple[Kind, Geometry]:
    if isinstance(segmentation, list):
        if not isinstance(segmentation[0], list):
            segmentation = [segmentation]  # one ring, as some converters write it
        # Two points enclose nothing, but sets hold such; they are drawn as that.
        return "polygon", Polygons(tuple((points_of(ring, source),) for ring in segmentation))
    value = mapping_of(segmentation, "segmentation", source)
    height, width = list_of(value["size"], "the size", source)
    box = size_of(height, width, source)
    counts = value["counts"]
    if box is None:
        raise ReadError(f"{source}: its run lengths have no size. Export the file again.")
    if isinstance(counts, str):
        try:
            return "runs", Runs(decode_counts(counts), box)
        except ReadError as error:
            raise ReadError(f"{source}: {error} Export the file again.") from None
    if not all(isinstance(count, int) and 0 <= count < 2**40 for count in list_of(counts, "counts", source)):
        raise ReadError(f"{source}: its run lengths are no whole numbers from 0. Export the file again.")
    return "runs", Runs(np.array(counts, np.int64), box)


def _image(image: dict[str, Any], shapes: list[Shape], path: str) -> AnnotatedImage:
    with Entry(f"{path}, image {image['id']}") as source:
        file = text_of(image.get("file_name"), "the file_name", source)
        size = size_of(image.get("height"), image.get("width"), source)
        return AnnotatedImage(file, size, tuple(shapes), smaller_over_larger=True)
