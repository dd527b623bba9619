"""Pascal VOC as published: `JPEGImages/`, `SegmentationClass/` and lists in `ImageSets/Segmentation/`.

Everingham et al., "The Pascal Visual Object Classes challenge", IJCV 2010; http://host.robots.ox.ac.uk/pascal/VOC
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.data.classes import CLASS_LISTS
from maskwright.data.layouts.looking import files_in, folders_in
from maskwright.data.layouts.pairing import pair, stem_of
from maskwright.data.layouts.registry import Pairs, layouts
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import read_mask
from maskwright.records import IGNORED

NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_LISTS = {"train": "train", "val": "val", "test": "test", "trainval": None}
_PUBLISHED = re.compile(r"\d{4}_\d{6}$")
_LOOKED_AT = 3


def palette() -> list[tuple[int, int, int]]:
    """The 256 colours of VOC: the bits of a number, three by three from the lowest, are the highest bits of red, green
    and blue.
    """
    colours = []
    for number in range(256):
        channels = [sum((number >> (3 * bit + shift) & 1) << (7 - bit) for bit in range(8)) for shift in range(3)]
        colours.append((channels[0], channels[1], channels[2]))
    return colours


class Voc:
    """`JPEGImages/` beside `SegmentationClass/`, with VOC's lists or with masks in its colours."""

    rank = 18

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs that the lists name, or all; None if there are neither lists nor the colours of VOC."""
        base = next((path for path in _bases(root) if _complete(path)), None)
        if base is None:
            return None
        images, masks = files_in(base / "JPEGImages"), files_in(base / "SegmentationClass")
        lists = base / "ImageSets" / "Segmentation"
        in_its_colours = _in_its_colours(masks)
        if not masks or not (lists.is_dir() or in_its_colours):
            return None
        entries, alone, masks_alone = pair(images, masks)
        if not entries:
            return None
        reason = "the Pascal VOC layout: JPEGImages and SegmentationClass"
        listed = _listed(lists, {stem_of(path) for path in images})
        if listed:
            alone = [path for path in alone if stem_of(path) in listed]
            entries = [replace(e, split=listed[stem_of(e.image)]) for e in entries if stem_of(e.image) in listed]
            reason += f", parts by the lists in {lists.relative_to(root)}"
        else:
            # Of 17,125 images of VOC 2012 2,913 have a mask; those that have none are for other tasks.
            reason += f"; left alone: {len(alone)} images without a mask" if alone else ""
            alone = []
        return _named(root, Pairs(tuple(entries), reason, tuple(alone), tuple(masks_alone)), in_its_colours)


def _named(root: Path, pairs: Pairs, in_its_colours: bool) -> Pairs:
    marks = ("JPEGImages", "SegmentationClass")
    if any((root / name).is_file() for name in CLASS_LISTS):
        return replace(pairs, marks=marks)
    pairs = replace(pairs, marks=marks, ignored=(IGNORED,) if in_its_colours else ())
    if in_its_colours and all(_PUBLISHED.search(stem_of(entry.image)) for entry in pairs.entries):
        note = "masks have the colours and files the names of VOC, so the classes are its 21, and 255 is ignored"
        classes = {name: (value,) for value, name in enumerate(NAMES)}
        return replace(pairs, classes=classes, notes=(*pairs.notes, note))
    if in_its_colours:
        note = (
            "masks have the colours of VOC, but files not its names: other programs use those colours for any classes, "
            "so name yours in a classes.txt, one a line from value 0"
        )
        return replace(pairs, notes=(*pairs.notes, note))
    return pairs


def _bases(root: Path) -> list[Path]:
    """The folder itself and those that the archive is unpacked to: `VOCdevkit/VOC2012`."""
    inner = [path for path in folders_in(root) if path.name.startswith("VOC")]
    return [root, *inner, *(deep for path in inner for deep in folders_in(path))]


def _complete(base: Path) -> bool:
    return {"JPEGImages", "SegmentationClass"} <= {path.name for path in folders_in(base)}


def _in_its_colours(masks: Sequence[Path]) -> bool:
    """Whether the first masks have palettes that agree with VOC's in the colours of the classes."""
    try:
        palettes = [read_mask(path).style.palette for path in masks[:_LOOKED_AT]]
    except MaskwrightError:
        return False
    known = palette()[: len(NAMES)]
    return bool(palettes) and all(
        p is not None and list(p[: len(known)]) == known[: len(p)] and len(p) > 1 for p in palettes
    )


def _listed(folder: Path, stems: set[str]) -> dict[str, str | None]:
    """Each name on a list, with its part."""
    listed: dict[str, str | None] = {}
    for name, split in _LISTS.items():
        path = folder / f"{name}.txt"
        lines = path.read_text("utf-8-sig", errors="replace").splitlines() if path.is_file() else []
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            stem = line.split()[0]
            if stem not in stems:
                raise DataError(
                    f"{path}, line {number}: there is no picture {stem} in JPEGImages/. Restore it, or take out "
                    "the line."
                )
            if split and listed.get(stem, split) != split:
                raise DataError(
                    f"{path}, line {number}: {stem} stands in {listed[stem]}.txt already; an image belongs to one "
                    "part. Take out one line."
                )
            listed.setdefault(stem, split)
    return listed


layouts.register("voc")(Voc())
