"""Readers of picture files: an open list. A new format is a new file beside `pillow.py`, the shortest
neighbour.
"""

from pathlib import Path
from typing import BinaryIO, ClassVar, Final, Protocol, cast

from maskwright.files.stored import Stored
from maskwright.registry import Registry


class Reader(Protocol):
    """What a kind of file must be able to do. Register the class; no object of it is ever made.

    The module of a reader is imported as soon as anybody lists a folder, so it imports heavy packages only in
    `open`.
    """

    suffixes: ClassVar[tuple[str, ...]]
    """What names of such files end in, lower case with the dot. Only for listing folders: see
    `recognises`.
    """

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether a file that starts with these (up to 256) bytes is of this kind, whatever its name."""
        ...

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The picture in the file, its header read and its samples not yet decoded.

        The file stands at its start and stays open until the picture is decoded; closing it is not the
        reader's work.

        Raises:
            ReadError: a predicate, before which the name of the file is put: "holds 3 frames. Split it …".
            Exception: anything else is told as "damaged or cut short".
        """
        ...


class PagedReader(Protocol):
    """What a reader has besides, if its files may be stacks of pictures.

    `axes` are the user's letters for the axes of the file, one each (see `files.axes`); None: what the file says, or
    what can be inferred.
    """

    @staticmethod
    def pages(file: BinaryIO, axes: str | None = None) -> int:
        """How many pictures the file holds; copies of them in other sizes do not count."""
        ...

    @staticmethod
    def open_page(file: BinaryIO, page: int | None, axes: str | None = None) -> Stored:
        """One picture of the stack, the first being 0, or without a page the only one; as `Reader.open` otherwise."""
        ...


class FolderReader(Protocol):
    """What a reader has besides, if its "files" are folders. What it opens is then an empty stream whose `name` is
    the folder.
    """

    @staticmethod
    def recognises_folder(folder: Path) -> bool:
        """Whether this folder is one picture, or one stack of them."""
        ...


class ArchiveReader(Protocol):
    """What a reader has besides, if its files hold arrays with names; `case.npz/image` names one."""

    @staticmethod
    def member(file: BinaryIO, name: str) -> BinaryIO:
        """One of them, as a file that some reader recognises."""
        ...


def paged(reader: type[Reader]) -> type[PagedReader] | None:
    """The reader again, if its files may be stacks."""
    return cast("type[PagedReader]", reader) if hasattr(reader, "open_page") else None


def of_folders(reader: type[Reader]) -> type[FolderReader] | None:
    """The reader again, if its files are folders."""
    return cast("type[FolderReader]", reader) if hasattr(reader, "recognises_folder") else None


def archived(reader: type[Reader]) -> type[ArchiveReader] | None:
    """The reader again, if its files hold arrays with names."""
    return cast("type[ArchiveReader]", reader) if hasattr(reader, "member") else None


readers: Final = Registry[type[Reader]]("reader", "maskwright.files.readers")
"""All readers. The first that recognises a file, in order of name, reads it."""
