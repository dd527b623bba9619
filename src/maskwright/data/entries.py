"""From a folder to its entries: which image has which labels, and what is left out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from maskwright.data import dataset_file
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.labels import values_of
from maskwright.data.layouts import Entry, Pairs, Told, recognise
from maskwright.data.layouts.folders import paired_folders
from maskwright.data.layouts.looking import looking
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.recognition import stated_numbers, stated_valid
from maskwright.data.layouts.refinement import refined
from maskwright.data.names import matches, relative
from maskwright.data.stacks import taken_apart
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import is_folder

_OBJECTS: Final = {"mask_file": "object_values", "drawn": "drawn_objects"}
"""What a source becomes where its values or shapes are objects."""


@dataclass
class Faults:
    """Raises what it is given, or keeps it."""

    strict: bool
    found: list[MaskwrightError] = field(default_factory=list)

    def add(self, error: MaskwrightError) -> None:
        """Raise it, or keep it."""
        if self.strict:
            raise error
        self.found.append(error)


@dataclass(frozen=True)
class Found:
    """What lies in a folder, before any picture was opened for good."""

    layout: str
    pairs: Pairs
    """As the layout found them, before anything was left out."""
    entries: list[Entry]
    """Images with their labels, stacks taken apart, without what is to be left out."""
    images_alone: tuple[Path, ...]
    masks_alone: tuple[Path, ...]
    """What has no partner and is not left out by a pattern."""
    notes: list[str]
    """What is to be said of those."""
    table: dict[str, int]
    """Class name → mask value, where labels are drawn by name."""


def entries_in(root: Path, stated: DatasetFile, patterns: Sequence[str], workers: int, faults: Faults) -> Found:
    """The entries of a folder.

    patterns: of what is to be left out.

    Raises:
        DataError: no layout fits the folder, or no image has a mask.
    """
    layout, pairs = _pairs(root, stated)
    entries = [e for e in _settled(pairs.entries, root, patterns, faults) if not _left_out(e, root, patterns)]
    images_alone, masks_alone = (
        tuple(path for path in paths if not matches(path, root, patterns))
        for paths in (pairs.images_alone, pairs.masks_alone)
    )
    notes = _lonely(root, images_alone, masks_alone, entries, faults)
    if stated.axes is not None:
        entries = [replace(entry, axes=stated.axes) for entry in entries]
    if stated.instances is True:
        entries = [replace(e, source=_OBJECTS.get(e.source, e.source)) for e in entries]
        if any(e.source == "drawn_objects" for e in entries):
            pairs = replace(pairs, classes=None, ignored=())
    elif isinstance(stated.instances, int) and stated.instances:
        entries = list(_classed(entries, stated.instances))
    entries = [page for page in taken_apart(entries, workers, faults.add) if not _left_out(page, root, patterns)]
    if not any(entry.mask for entry in entries):
        raise DataError(f"No image in {root} has a mask, so there is nothing to learn from.")
    return Found(layout, pairs, entries, images_alone, masks_alone, notes, _table(pairs, stated))


def _classed(entries: Iterable[Entry], per_class: int) -> Iterator[Entry]:
    """The entries, their mask values taken for classes and objects.

    Raises:
        DataError: labels are no mask file.
    """
    for entry in entries:
        if entry.mask and entry.source != "mask_file":
            raise DataError(
                f"dataset.yaml says instances: {per_class}, by which values of mask files are a class and an object; "
                f"the labels of {entry.image.name} are no mask file. Take the line out."
            )
        yield replace(entry, source="classed_values", per_class=per_class) if entry.mask else entry


def _pairs(root: Path, stated: DatasetFile) -> tuple[str, Pairs]:
    told = Told(
        layout="annotations" if stated.annotations.file else stated.layout,
        bands=stated.bands,
        annotators=stated.annotators,
        overlap=stated.overlap,
        valid=stated.valid,
        instances=stated.instances,
        axes=stated.axes,
        annotations=root / stated.annotations.file if stated.annotations.file else None,
        reading=stated.annotations.reading,
        values=_stated_table(stated),
    )
    if stated.images is None or stated.masks is None:
        return recognise(root, told)
    for folder in (root / stated.images, root / stated.masks):
        if not is_folder(folder):
            raise DataError(f"{dataset_file.NAME} names the folder {folder}, which does not exist.")
    with looking(told):
        pairs = paired_folders(root / stated.images, root / stated.masks)
        if pairs is None:
            raise DataError(f"{root / stated.images} or {root / stated.masks} holds no pictures.")
        return "stated", refined(root, by_lists(root, pairs), stated_valid(root), stated_numbers(root))


def _table(pairs: Pairs, stated: DatasetFile) -> dict[str, int]:
    """Class name → mask value, for sources that name classes; for a file a class and what is drawn as
    dataset.yaml says.
    """
    if any(entry.source.startswith(("class_files", "drawn")) for entry in pairs.entries) and (
        table := _stated_table(stated)
    ):
        return table
    return {name: values[0] for name, values in (pairs.classes or {}).items()}


def _stated_table(stated: DatasetFile) -> dict[str, int] | None:
    """Class name → mask value where classes are stated by value; None where they are not, or by drawn names, which keep
    the values they have.
    """
    if stated.classes is None:
        return None
    try:
        found = {name: values_of(value, None) for name, value in stated.classes.items()}
    except DataError:
        return None  # a name among the values; a mistake is told when the classes are made of them
    return {name: values[0] for name, values in found.items() if values}


def _lonely(
    root: Path, images: tuple[Path, ...], masks: tuple[Path, ...], entries: list[Entry], faults: Faults
) -> list[str]:
    """A note of the files without partner, which are left out; a fault if they are more than those with one: the
    names are then not what pairs them.
    """
    notes = []
    for alone, own, other in ((images, "image", "mask"), (masks, "mask", "image")):
        if not alone:
            continue
        shown = ", ".join(relative(path, root) for path in alone[:3]) + (" …" if len(alone) > 3 else "")
        if len(alone) > sum(entry.mask is not None for entry in entries):
            faults.add(
                DataError(
                    f"{len(alone)} of the files in {root} have no {other}: {shown}. A mask is called as its image, "
                    f"with or without an ending such as _mask. Add the {other}, or leave the file out with --skip "
                    f"{alone[0].name}.",
                    code="unpaired",
                    files=[relative(path, root) for path in alone],
                )
            )
        notes.append(f"left out, as {len(alone)} {own}{'s have' if len(alone) > 1 else ' has'} no {other}: {shown}")
    return notes


def _settled(entries: Iterable[Entry], root: Path, patterns: Sequence[str], faults: Faults) -> Iterator[Entry]:
    """The entries with one mask each: where several claim an image, all but one must be left out."""
    for entry in entries:
        masks = [m for m in (entry.mask, *entry.rivals) if m and not (entry.rivals and matches(m, root, patterns))]
        if len(masks) > 1 and not matches(entry.image, root, patterns):
            faults.add(
                DataError(
                    f"Both {masks[0]} and {masks[1]} could be the mask of {entry.image}. Keep one, or leave one out "
                    f"with --skip {relative(masks[1], root)}.",
                    code="rivals",
                    files=[relative(path, root) for path in (entry.image, *masks)],
                )
            )
            continue
        yield replace(entry, mask=masks[0] if masks else None, rivals=()) if entry.rivals else entry


def _left_out(entry: Entry, root: Path, patterns: Sequence[str]) -> bool:
    """Whether a pattern means the image or its mask; of a page, its own name or that of the whole stack."""
    if not patterns:
        return False
    whole = tuple(path for path in (entry.image, entry.mask) if path)
    return any(matches(path, root, patterns) for path in {*whole, *entry.shown})
