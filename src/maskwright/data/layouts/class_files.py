"""A mask file a class: `masks/road/NAME.png` + `masks/car/NAME.png`, `masks/NAME/road.png`, or `NAME_road.png`."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from maskwright.data.layouts.annotators import annotator_folder, annotator_of
from maskwright.data.layouts.evidence import is_two_valued
from maskwright.data.layouts.looking import files_in, folders_in, told
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.pairing import IMAGE_FOLDERS, MASK_FOLDERS, image_key, pair, splits_in, subfolder
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import band_of, meaning, stem_of, told_by_name
from maskwright.data.sources.class_files import overlap, read_shape
from maskwright.errors import DataError, MaskwrightError

_LOOKED_AT = 4
_APART = " ._-"
Parts = dict[Path, dict[str, Path]]
"""Image → class → its mask."""


class ClassFiles:
    """For an image several masks, each of one class, which is said by its folder or by the end of its name."""

    rank = 33

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if no two classes share an image, or a file holds more than 0 and one other value.

        Raises:
            DataError: the stated order of classes lacks one.
        """
        found = [(split, parts, images) for split, base in _bases(root) for parts, images in [_parts(base)] if parts]
        classes = sorted({name for _, parts, _ in found for of_image in parts.values() for name in of_image})
        several = sum(len(of_image) > 1 for _, parts, _ in found for of_image in parts.values())
        if len(classes) < 2 or 2 * several < sum(len(parts) for _, parts, _ in found):
            return None
        some = [path for _, parts, _ in found for of_image in islice(parts.values(), 2) for path in of_image.values()]
        if not all(is_two_valued(path) for path in some[:_LOOKED_AT]):
            return None
        order = _order(classes)
        entries = []
        for split, parts, _ in found:
            for image, of_image in parts.items():
                masks = {name: of_image[name] for name in order if name in of_image}
                source = "class_files_in_order" if told().overlap else "class_files"
                entries.append(Entry(image, next(iter(masks.values())), split, source=source, parts=masks))
        alone = tuple(image for _, parts, images in found for image in images if image not in parts)
        return by_lists(
            root,
            Pairs(
                tuple(entries),
                f"a mask file a class: {', '.join(classes)}",
                alone,
                classes={"background": (0,)} | {name: (value,) for value, name in enumerate(order, start=1)},
                notes=(*_about_overlap(entries), *_about_absence(entries, len(classes))),
            ),
        )


def _order(classes: list[str]) -> list[str]:
    stated = list(told().overlap)
    if stated and sorted(stated) != classes:
        raise DataError(
            f"dataset.yaml says overlap: [{', '.join(stated)}], but the classes are {', '.join(classes)}. Name each of "
            "them once; a later one is seen over an earlier."
        )
    return stated or classes


def _about_overlap(entries: Sequence[Entry]) -> Iterator[str]:
    shares = []
    for entry in entries[:: max(1, len(entries) // _LOOKED_AT)][:_LOOKED_AT]:
        try:
            shapes = [read_shape(path) for path in entry.parts.values()]
        except MaskwrightError:
            continue  # told when all files are opened
        if len({shape_HW.shape for shape_HW in shapes}) == 1:
            shares.append(overlap(shapes))
    rule = (
        "the later of dataset.yaml's overlap: is seen"
        if told().overlap
        else "the one of fewer pixels is seen; for an order of your own: overlap: [FIRST, …, LAST] in dataset.yaml"
    )
    share = f"{np.mean(shares):.1%} of the labelled pixels in {len(shares)} images" if shares else "not measured"
    yield f"where classes overlap ({share}), {rule}; a network that gives a pixel several classes is not built here"


def _about_absence(entries: Sequence[Entry], classes: int) -> Iterator[str]:
    if fewer := sum(len(entry.parts) < classes for entry in entries):
        yield f"{fewer} images have no file for some class, which is taken as absent there"


def _bases(root: Path) -> Iterator[tuple[str | None, Path]]:
    yield None, root
    yield from splits_in(root).items()


def _parts(base: Path) -> tuple[Parts, list[Path]]:
    """The masks of each image, and all images."""
    images, masks = subfolder(base, IMAGE_FOLDERS), subfolder(base, MASK_FOLDERS)
    if images is None or masks is None:
        return _by_names(*_apart(files_in(base)))
    pictures = files_in(images)
    folders = [path for path in folders_in(masks) if not annotator_folder(path.name) and not meaning(path.name)]
    by_stem = {stem_of(path): path for path in pictures} | {image_key(path): path for path in pictures}
    if folders and sum(path.name in by_stem for path in folders) > len(folders) / 2:
        return _by_image_folders(by_stem, folders), pictures
    if folders:
        return _by_class_folders(pictures, folders), pictures
    return _by_names(pictures, files_in(masks))


def _by_class_folders(pictures: list[Path], folders: list[Path]) -> Parts:
    parts: Parts = defaultdict(dict)
    for folder in folders:
        for entry in pair(pictures, files_in(folder))[0]:
            if entry.mask and not entry.bands:
                parts[entry.image][folder.name] = entry.mask
    return dict(parts)


def _by_image_folders(by_stem: Mapping[str, Path], folders: list[Path]) -> Parts:
    """Classes are the names that come again in at least half of the folders; numbers are of objects."""
    masks = {by_stem[path.name]: files_in(path) for path in folders if path.name in by_stem}
    times = Counter(stem_of(path) for files in masks.values() for path in files)
    classes = {name for name, count in times.items() if 2 * count >= len(masks) and not _is_number(name)}
    if len(masks) < 2 or any(stem_of(path) not in classes for files in masks.values() for path in files):
        return {}
    return {image: {stem_of(path): path for path in files} for image, files in masks.items() if files}


def _apart(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """Of a folder of both the images, whose names others begin with, and those others."""
    stems = {stem_of(path) for path in files}
    images: list[Path] = []
    masks: list[Path] = []
    for path in files:
        (masks if any(start in stems for start in _starts(stem_of(path))) else images).append(path)
    return images, masks


def _by_names(pictures: list[Path], masks: list[Path]) -> tuple[Parts, list[Path]]:
    by_stem = {image_key(path): path for path in pictures} | {stem_of(path): path for path in pictures}
    parts: Parts = defaultdict(dict)
    for mask in masks:
        stem = stem_of(mask)
        start = next((start for start in _starts(stem) if start in by_stem), None)
        if start is None or band_of(mask) or annotator_of(mask):
            return {}, pictures
        name = _class(stem[len(start) :])
        if name is None:
            return {}, pictures
        parts[by_stem[start]][name] = mask
    times = Counter(name for of_image in parts.values() for name in of_image)
    # A class comes again; what comes once is a name.
    if len(parts) > 1 and any(count == 1 for count in times.values()) and len(times) > len(parts):
        return {}, pictures
    return dict(parts), pictures


def _class(end: str) -> str | None:
    """The class that the end of a name says; None if it is a number, or only says that the file is a mask."""
    name = end.strip(_APART)
    role, rest = told_by_name(Path(f"{name}.x"))
    name = rest.strip(_APART) if role == "mask" else name
    return name if name and not _is_number(name) and not meaning(name) and not meaning(end.strip(_APART)) else None


def _is_number(name: str) -> bool:
    return not re.search(r"[A-Za-z]{2}", name)


def _starts(stem: str) -> Iterator[str]:
    """What stands before each mark that parts words, the longest first."""
    for place in range(len(stem) - 1, 0, -1):
        if stem[place] in _APART:
            yield stem[:place]


layouts.register("class_files")(ClassFiles())
