"""Formats of annotation files: an open list. A new format is a new file beside `labelme.py`, a short neighbour."""

from pathlib import Path
from typing import ClassVar, Final, Literal, Protocol

from pydantic import Field

from maskwright.files.annotations.content import Content
from maskwright.files.annotations.record import Annotations
from maskwright.records import Record
from maskwright.registry import Registry


class Reading(Record):
    """What annotation files leave open and a person can state."""

    pixel_to_map: tuple[float, float, float, float, float, float] | None = None
    """(a, b, c, d, e, f) of the image's georeference: x = a·column + b·row + c and y = d·column + e·row + f of its map,
    where column 0, row 0 is the outer corner of the first pixel. None: GeoJSON coordinates are pixels."""
    class_property: str | None = None
    """Which property of a GeoJSON's features is the class; None: the only one that looks like it."""
    run_order: Literal["columns", "rows"] | None = None
    """How the run lengths of a contest's table count pixels; None: down the columns, as most contests do."""
    line_width: float | None = Field(None, gt=0, le=10_000)
    """How wide lines are drawn, in pixels; None: as their own tool does, and 1 where it does not say."""
    annotator: str | None = None
    """Whose work counts, where a file keeps that of several people apart."""


LINE_WIDTH_LINE: Final = "For another width: annotations: {line_width: 3} in dataset.yaml."
"""What a note of lines without a width ends with."""


class AnnotationFormat(Protocol):
    """What a kind of annotation file must be able to do. Register the class; no object of it is ever made."""

    suffixes: ClassVar[tuple[str, ...]]
    """What names of such files end in, lower case with the dot: for listing folders, and for choosing where several
    formats recognise a file."""

    @staticmethod
    def recognises(content: Content) -> bool:
        """Whether the file is of this kind, whatever its name."""
        ...

    @staticmethod
    def read(content: Content, reading: Reading) -> Annotations:
        """What the file says; shapes may be decoded later, when they are drawn.

        Raises:
            ReadError: names file and place, what was expected there and what to do.
            Exception: anything else is told as "damaged".
        """
        ...


formats: Final = Registry[type[AnnotationFormat]]("annotation format", "maskwright.files.annotations")
"""All formats. The first that recognises a file, in order of name, reads it; those with its suffix are asked first."""


def format_of(content: Content) -> str | None:
    """The name of the format that recognises the file, or None."""
    suffix = Path(content.path).suffix.lower()
    fitting = [name for name, part in formats.items() if part.recognises(content)]
    return next((name for name in fitting if suffix in formats[name].suffixes), fitting[0] if fitting else None)
