"""The usual source: one mask file an image, a value or a colour a pixel."""

from pathlib import Path
from typing import ClassVar

from maskwright.data.sources.registry import Place, sources
from maskwright.files import Mask, read_mask


@sources.register("mask_file")
class MaskFile:
    """A file whose pixels name classes."""

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = True

    @staticmethod
    def read(place: Place) -> Mask:
        """The file's values."""
        return read_mask(place.mask, place.page, colour=place.colour, axes=place.axes)

    @staticmethod
    def objects(place: Place) -> None:
        """Nothing: a value stands for a class, not for an object."""

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file."""
        return [place.mask]
