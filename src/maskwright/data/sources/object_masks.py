"""Sources that tell objects apart: a mask file for each, or one file in which each has a number."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maskwright.data.objects import FOREGROUND, from_files, from_values
from maskwright.data.sources.registry import Place, sources
from maskwright.files import Mask, MaskStyle, files_in


@sources.register("object_files")
class ObjectFiles:
    """A folder an image, in it a mask file for each object; an empty folder is an image without objects."""

    tells_objects: ClassVar[bool] = True
    paged: ClassVar[bool] = False

    @staticmethod
    def read(place: Place) -> Mask:
        """255 where there is an object, 0 elsewhere."""
        return shown(ObjectFiles.objects(place))

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32]:
        """A number a file; where two overlap, the smaller object is seen."""
        return from_files(place.mask, place.size)

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The files of the folder."""
        return files_in(place.mask)


@sources.register("object_values")
class ObjectValues:
    """One mask file an image, in which each object has a value of its own."""

    tells_objects: ClassVar[bool] = True
    paged: ClassVar[bool] = True

    @staticmethod
    def read(place: Place) -> Mask:
        """255 where there is an object, 0 elsewhere."""
        return shown(ObjectValues.objects(place))

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32]:
        """A number a value, in their order."""
        return from_values(place.mask, place.page, place.axes)

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file."""
        return [place.mask]


def shown(objects_HW: NDArray[np.int32]) -> Mask:
    """Objects as a mask of 255 and 0."""
    return Mask(np.where(objects_HW > 0, np.uint8(FOREGROUND), np.uint8(0)), MaskStyle())
