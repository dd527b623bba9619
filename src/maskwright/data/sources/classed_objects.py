"""Sources that tell objects apart and name their classes: in one file of numbers, or in one of classes and one of
objects. H W the picture.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maskwright.data.objects import from_values, numbered
from maskwright.data.sources.mask_file import MaskFile
from maskwright.data.sources.registry import Place, sources
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, read_mask
from maskwright.records import IGNORED

OBJECTS = "objects"
"""The part of a place that holds the objects' numbers."""


@sources.register("classed_values")
class ClassedValues:
    """One mask file whose values are a class times `per_class` and the object's number, as Cityscapes' `instanceIds`
    with 1000: 26003 is the third car. A value below `per_class` is a class alone, of no object.
    """

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = True

    @staticmethod
    def read(place: Place) -> Mask:
        """The classes."""
        values_HW, per_class = _values(place)
        classes_HW = np.where(values_HW < per_class, values_HW, values_HW // per_class)
        deep = int(classes_HW.max(initial=0)) > IGNORED
        return Mask(classes_HW, MaskStyle(dtype="uint16" if deep else "uint8"))

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32]:
        """A number a value of those that number an object, in their order."""
        values_HW, per_class = _values(place)
        return numbered(np.where(values_HW < per_class, 0, values_HW))

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file."""
        return [place.mask]


@sources.register("classes_and_objects")
class ClassesAndObjects:
    """A file whose pixels name classes, and another one in which each object has a number and all else is 0."""

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = True

    @staticmethod
    def read(place: Place) -> Mask:
        """The values of the file of classes."""
        return MaskFile.read(place)

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32]:
        """A number a value of the file of objects, in their order.

        Raises:
            DataError: it has another size than the image; names it.
        """
        path = place.parts[OBJECTS]
        objects_HW = from_values(path, place.page, place.axes)
        if objects_HW.shape != place.size:
            sizes = " and ".join("×".join(map(str, size)) for size in (objects_HW.shape, place.size))
            raise DataError(
                f"{path} and the image whose objects it numbers are {sizes} (height × width). They must match; crop or "
                "redraw the file.",
                code="unequal-sizes",
                image=place.size,
                mask=objects_HW.shape,
            )
        return objects_HW

    @staticmethod
    def files(place: Place) -> list[Path]:
        """Both files."""
        return [place.mask, place.parts[OBJECTS]]


def _values(place: Place) -> tuple[NDArray[np.int64], int]:
    """The file's values, and how many of them a class has."""
    assert place.per_class is not None, "whoever chooses the source says it"
    values_HW = read_mask(place.mask, place.page, axes=place.axes).values.astype(np.int64)
    if (values_HW < 0).any():
        # Cityscapes has -1 for licence plates, which eight bits hold as 255 in its other masks.
        values_HW = np.where(values_HW == -1, IGNORED, values_HW)
    return values_HW, place.per_class
