"""The open list of layouts, and the choice among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from maskwright.data.names import page_path
from maskwright.errors import DataError
from maskwright.files import is_archive, members
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
    """Further mask files by name, where the labels are spread over several: of classes, or of annotators."""
    key: str | None = None
    """Which image it is in a mask file that is about many."""
    bands: tuple[Path, ...] = ()
    """Further files of the image, whose channels come after its own."""
    valid: Path | None = None
    """A file that is 0 where pixels count nowhere, such as a mask of the field of view."""
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


class Layout(Protocol):
    """Looks at a folder and pairs what lies there, or says nothing.

    One that looks only through `maskwright.files` says so with `archives = True`, and is asked about archives, too.
    """

    rank: int
    """Layouts are asked in this order; the more particular one goes first."""

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if the folder is not laid out this way."""


layouts: Registry[Layout] = Registry("layout", "maskwright.data.layouts")


def recognise(root: Path) -> tuple[str, Pairs]:
    """The name of the first layout that fits the folder, with what it found.

    Raises:
        DataError: the folder is missing, empty, or laid out in no known way.
    """
    packed = is_archive(root)
    if not packed and not root.is_dir():
        raise DataError(f"{root} is not a folder. Give the folder that holds your images and masks.")
    for name, layout in sorted(layouts.items(), key=lambda item: item[1].rank):
        if packed and not getattr(layout, "archives", False):
            continue
        if found := layout(root):
            return name, found
    raise DataError(_nothing(root))


def _nothing(root: Path) -> str:
    if is_archive(root):
        return (
            f"No images with masks were found in {root}, {len(members(root))} files. Members of equal key belong "
            "together, as 000017.jpg and 000017.png, or lie in it as images/ and masks/ with equal file names."
        )
    inside = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir() if path.name[0] != ".")
    if not inside:
        return f"{root} is empty. It should hold images and masks, as folders images/ and masks/ with equal file names."
    shown = ", ".join(inside[:8]) + (" …" if len(inside) > 8 else "")
    return (
        f"No images with masks were found in {root}; it holds: {shown}.\n"
        "Lay them out as images/ and masks/ with equal file names, or put them side by side as NAME.png and "
        "NAME_mask.png, or name the folders in a dataset.yaml (images: FOLDER, masks: FOLDER)."
    )
