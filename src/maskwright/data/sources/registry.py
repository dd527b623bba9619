"""The open list of sources. H W the picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from maskwright.files import Mask
from maskwright.files.annotations import Reading
from maskwright.registry import Registry


@dataclass(frozen=True)
class Place:
    """Where the labels of one image stand."""

    mask: Path
    """A file; for some sources a folder of files, or a file about many images."""
    size: tuple[int, int]
    """Height and width of the image."""
    page: int | None = None
    """Which page of a stack, from 0."""
    parts: Mapping[str, Path] = field(default_factory=dict)
    """Files by name, where the labels are spread over several: of classes, or of annotators."""
    key: str | None = None
    """Which image of those that the file is about."""
    axes: str | None = None
    """What each axis of the file is, where that must be stated."""
    colour: bool = False
    """Whether mask files are read as the colours they show."""
    table: Mapping[str, int] = field(default_factory=dict)
    """Class name → mask value, where the source names classes."""
    reading: Reading = field(default_factory=Reading)
    """What annotation files leave open."""
    per_class: int | None = None
    """How many values a class has, where a value is a class times this and the number of an object."""


class Source(Protocol):
    """What a source must be able to do. Register the class; no object of it is ever made."""

    tells_objects: ClassVar[bool]
    """Whether it tells nothing but one object from another: its values are then 0 and `objects.FOREGROUND`."""
    paged: ClassVar[bool]
    """Whether page n of a stack of images has page n of the mask."""

    @staticmethod
    def read(place: Place) -> Mask:
        """The mask values, H W, and the style that predictions are written in.

        Raises:
            ReadError, DataError: a file does not open, or does not hold what it should; names it.
        """
        ...

    @staticmethod
    def objects(place: Place) -> NDArray[np.int32] | None:
        """The objects, H W: 0 where there is none, then 1 … N; None if it does not tell them apart.

        Raises:
            ReadError, DataError: as for `read`.
        """
        ...

    @staticmethod
    def files(place: Place) -> list[Path]:
        """All the files it reads, whose contents are the mask's."""
        ...


sources: Registry[type[Source]] = Registry("mask source", "maskwright.data.sources")
