"""Sources whose labels are drawn from outlines or run lengths in annotation files. H W the picture."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.labels import IGNORED_NAMES
from maskwright.data.objects import numbered
from maskwright.data.sources.object_masks import shown
from maskwright.data.sources.registry import Place, sources
from maskwright.errors import DataError, SettingError
from maskwright.files import Mask, MaskStyle
from maskwright.files.annotations import AnnotatedImage, Annotations, Shape, draw, draw_objects, read_annotations
from maskwright.records import IGNORED

BACKGROUND_NAMES: Final = {"background", "_background_"}
"""Classes that say that nothing is there, in small letters."""
_ELSE: Final = 65535


@sources.register("drawn")
class Drawn:
    """An annotation file: each shape is drawn with the value of its class, over those before it; the rest is 0."""

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = False

    @staticmethod
    def read(place: Place) -> Mask:
        """The table's value of the class that is seen, 0 where nothing is drawn."""
        return _mask(_annotated(place)[1], place)

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32] | None:
        """The objects as they were drawn; None where nothing but classes is: in a table of run lengths with a row an
        image, or an image and class.

        What is seen of an object is of its class: where objects of two classes overlap, the class that is drawn over
        the other has the pixel, as in the mask; of one class the smaller object is seen.
        """
        annotations, image = _annotated(place)
        if annotations.format == "run-table" and not _several_of_a_class(annotations):
            return None
        left_out = {0, ignored_value(place.table)}
        values_HW = _mask(image, place).values  # what is ignored, or drawn as a hole, lies over objects
        objects_HW = np.zeros(place.size, np.int32)
        for value in sorted(set(place.table.values()) - left_out):
            own = [shape for shape in image.shapes if place.table.get(shape.name) == value]
            if own:
                drawn_HW = draw_objects(own, place.size)
                shown_HW = (values_HW == value) & (drawn_HW > 0)
                objects_HW[shown_HW] = drawn_HW[shown_HW] + objects_HW.max(initial=0)
        return numbered(objects_HW)

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file."""
        return [place.mask]


@sources.register("drawn_objects")
class DrawnObjects:
    """An annotation file whose shapes of all classes are objects of one kind."""

    tells_objects: ClassVar[bool] = True
    paged: ClassVar[bool] = False

    @staticmethod
    def read(place: Place) -> Mask:
        """255 where there is an object, 0 elsewhere."""
        return shown(DrawnObjects.objects(place))

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32]:
        """A number a drawn object; where two overlap, the smaller one is seen."""
        _, image = _annotated(place)
        return draw_objects([shape for shape in image.shapes if is_class(shape)], place.size)

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file."""
        return [place.mask]


def is_class(shape: Shape) -> bool:
    """Whether the shape is of a class, and neither background nor what counts nowhere."""
    no_class = shape.ignored or shape.background or shape.crowd
    return not no_class and not is_ignored(shape.name) and not is_background(shape.name)


def is_background(name: str) -> bool:
    """Whether a class of this name says that nothing is there."""
    return name.strip().lower() in BACKGROUND_NAMES


def is_ignored(name: str) -> bool:
    """Whether a class of this name says that pixels count nowhere: `__ignore__`, `void` …"""
    return name.strip().lower().strip("_") in IGNORED_NAMES


def ignored_value(table: Mapping[str, int] | Collection[int]) -> int:
    """The value that pixels are drawn with that count nowhere: 255, or 65535 where a class has that."""
    values = [v for n, v in table.items() if not is_ignored(n)] if isinstance(table, Mapping) else table
    return _ELSE if IGNORED in values else IGNORED


def _several_of_a_class(annotations: Annotations) -> bool:
    """Whether any image has two shapes of one class."""
    return any(len(one.found) > len({shape.name for shape in one.found}) for one in annotations.images)


def _annotated(place: Place) -> tuple[Annotations, AnnotatedImage]:
    """What is said of the image, and all that the file says.

    Raises:
        ReadError: the file is damaged.
        DataError: it does not know the image, or one of another size.
    """
    annotations = read_annotations(place.mask, place.reading)
    if place.key is not None:
        image = annotations.of(place.key)
        if image is None:
            raise DataError(f"{place.mask} says nothing of {place.key}. Export it again, or restore the image's name.")
    elif len(annotations.images) == 1:
        image = annotations.images[0]
    else:
        raise DataError(f"{place.mask} is about {len(annotations.images)} images; one was expected.")
    if image.size is not None and image.size != place.size:
        raise DataError(
            f"{place.mask} was drawn on {image.file} as a picture of {image.size[0]}×{image.size[1]}, but the image is "
            f"{place.size[0]}×{place.size[1]} (height × width). Restore the image that was annotated, or annotate this "
            "one; a photograph that is turned by its EXIF data is to be saved upright first.",
            code="unequal-sizes",
            image=place.size,
            mask=image.size,
        )
    return annotations, image


def _mask(image: AnnotatedImage, place: Place) -> Mask:
    nowhere = ignored_value(place.table)
    table = dict(place.table)
    for shape in image.found:
        if shape.name not in table and is_ignored(shape.name):
            table[shape.name] = nowhere
        elif shape.name not in table and is_background(shape.name):
            table[shape.name] = 0
    try:
        values_HW = draw(image.shapes, place.size, table, ignored=nowhere)
    except SettingError as error:
        raise DataError(
            f"{error} In dataset.yaml, classes: must name every class that is drawn: {{background: 0, NAME: 1}}."
        ) from None
    deep = max(place.table.values(), default=0) > IGNORED
    return Mask(values_HW, MaskStyle(dtype="uint16" if deep else "uint8"))
