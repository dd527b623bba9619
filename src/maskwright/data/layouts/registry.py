"""The open list of layouts, and what they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from maskwright.data.names import page_path
from maskwright.files.annotations import Reading
from maskwright.registry import Registry


@dataclass(frozen=True)
class Entry:
    """An image with its mask, if it has one, and the part the layout puts it in: train, val, test or not said."""

    image: Path
    mask: Path | None
    """A file; for some sources a folder of files, or a file about many images."""
    split: str | None = None
    rivals: tuple[Path, ...] = ()
    """Other masks that could be meant; all but one must be left out."""
    source: str = "mask_file"
    """How labels are read from the mask: a name on the open list `data/sources`."""
    parts: Mapping[str, Path] = field(default_factory=dict)
    """Further mask files by name, where labels are spread over several: of classes, of objects, or of annotators."""
    per_class: int | None = None
    """How many mask values a class has, where a value is a class times this and the number of an object."""
    key: str | None = None
    """Which image it is in a mask file that is about many."""
    bands: tuple[Path, ...] = ()
    """Further files of the image, whose channels come after its own."""
    axes: str | None = None
    """What each axis of the image's files is, `CHW`, where dataset.yaml says so."""
    valid: Path | None = None
    """A file that is 0 where pixels count nowhere, such as a mask of the field of view."""
    reading: Reading = field(default_factory=Reading)
    """What annotation files leave open, and is stated or known of the image."""
    page: int | None = None
    """Which page of a stack, from 0, of the image's and of the mask's alike. Layouts leave it open: stacks are taken
    apart once they are paired."""
    pages: int = 1
    """How many pages the stack has."""

    @property
    def shown(self) -> tuple[Path, ...]:
        """Image and mask as they are spoken of: a page of a stack has a path of its own, `stack_07.tif`."""
        return tuple(page_path(path, self.page, self.pages) for path in (self.image, self.mask) if path)


@dataclass(frozen=True)
class Pairs:
    """What a layout found: the entries, what would not pair, and why it thinks the folder is laid out so."""

    entries: tuple[Entry, ...]
    reason: str
    images_alone: tuple[Path, ...] = ()
    masks_alone: tuple[Path, ...] = ()
    classes: Mapping[str, tuple[int, ...]] | None = None
    """Name → mask values, in order of label, where the layout is of a data set that is published with such, or where
    labels are drawn by name."""
    ignored: tuple[int, ...] = ()
    """Mask values that are known to count nowhere."""
    marks: tuple[str, ...] = ()
    """What only data laid out this way holds, such as nnU-Net's `dataset.json`: it then wins over what may be anybody's
    folders."""
    base: Path | None = None
    """The folder in the one given that was read in place of it; lists of classes are looked for there."""
    notes: tuple[str, ...] = ()
    """What else a user should know of it, a sentence each."""


class Layout(Protocol):
    """Looks at a folder and pairs what lies there, or says nothing.

    One that looks only through `maskwright.files` says so with `archives = True`, and is asked about archives, too.
    """

    rank: int
    """Of layouts that fit equally well the one of the lower rank is taken: the more particular one."""

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if the folder is not laid out this way."""


layouts: Registry[Layout] = Registry("layout", "maskwright.data.layouts")
