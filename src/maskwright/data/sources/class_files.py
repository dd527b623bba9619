"""Sources in which each class has a mask of its own: a file, or a channel. H W the picture, K its classes."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maskwright.data.sources.registry import Place, sources
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, read_image, read_mask


@sources.register("class_files")
class ClassFiles:
    """A file a class, 0 where the class is not; where classes overlap the one of fewer pixels is seen."""

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = False

    @staticmethod
    def read(place: Place) -> Mask:
        """The table's value of the class that is seen, 0 where there is none."""
        shown = [(value, shape_HW) for value, shape_HW in _shapes(place)]
        return painted(sorted(shown, key=lambda one: -int(one[1].sum())), place.size)

    @staticmethod
    def objects(place: Place) -> None:
        """Nothing: a file is a class, not an object."""

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file of each class."""
        return list(place.parts.values())


@sources.register("class_files_in_order")
class ClassFilesInOrder(ClassFiles):
    """A file a class; where classes overlap the later one is seen."""

    @staticmethod
    def read(place: Place) -> Mask:
        """The table's value of the class that is seen, 0 where there is none."""
        return painted(_shapes(place), place.size)


@sources.register("class_channels")
class ClassChannels:
    """A file of a channel a class, 0 where the class is not; where classes overlap the one of fewer pixels is seen."""

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = False

    @staticmethod
    def read(place: Place) -> Mask:
        """1 to K for the channels, 0 where there is none."""
        image_HWK = read_image(place.mask, place.page)
        shown = [
            (number, _shape(image_HWK[:, :, number - 1], f"{place.mask}, channel {number},"))
            for number in range(1, image_HWK.shape[2] + 1)
        ]
        return painted(sorted(shown, key=lambda one: -int(one[1].sum())), (image_HWK.shape[0], image_HWK.shape[1]))

    @staticmethod
    def objects(place: Place) -> None:
        """Nothing: a channel is a class, not an object."""

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file."""
        return [place.mask]


def painted(shapes: Iterable[tuple[int, NDArray[np.bool_]]], size: tuple[int, int]) -> Mask:
    """A mask with each value where its shape is; of those that overlap the later one is seen."""
    shapes = list(shapes)
    dtype = np.uint8 if max((value for value, _ in shapes), default=0) < 256 else np.uint16
    values_HW = np.zeros(size, dtype)
    for value, shape_HW in shapes:
        values_HW[shape_HW] = value
    return Mask(values_HW, MaskStyle(dtype="uint8" if dtype == np.uint8 else "uint16"))


def overlap(shapes: Iterable[NDArray[np.bool_]]) -> float:
    """The share of the pixels of any class that are of more than one, 0 to 1."""
    times_HW = np.sum([shape_HW.astype(np.uint16) for shape_HW in shapes], axis=0)
    return float((times_HW > 1).sum() / max(1, (times_HW > 0).sum()))


def _shapes(place: Place) -> Iterable[tuple[int, NDArray[np.bool_]]]:
    for name, path in place.parts.items():
        if name not in place.table:
            raise DataError(f"{path} is of the class {name!r}, which has no value. Name it in dataset.yaml: classes.")
        shape_HW = read_shape(path, place.page)
        if shape_HW.shape != place.size:
            raise DataError(
                f"{path} is {shape_HW.shape[0]}×{shape_HW.shape[1]}, its image {place.size[0]}×{place.size[1]} "
                "(height × width). Masks must match their image; crop or redraw the mask.",
                code="unequal-sizes",
                image=place.size,
                mask=shape_HW.shape,
            )
        yield place.table[name], shape_HW


def read_shape(path: Path, page: int | None = None) -> NDArray[np.bool_]:
    """Where the class is that a file is of.

    Raises:
        ReadError, DataError: it does not open, or holds more than 0 and one other value.
    """
    return _shape(read_mask(path, page).values, path)


def _shape(values_HW: NDArray[np.generic], name: object) -> NDArray[np.bool_]:
    present = [value for value in np.unique(values_HW).tolist() if value]
    if len(present) > 1:
        raise DataError(
            f"{name} holds 0, {present[0]} and {present[-1]}; a mask of one class holds 0 and one other value. Redraw "
            "it, or save it as PNG if it was a JPEG."
        )
    return np.asarray(values_HW != 0)
