"""Which files of a folder are annotations, and of which format."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from maskwright.data.layouts.looking import told, tree
from maskwright.data.layouts.words import SPLITS, meaning
from maskwright.data.names import relative
from maskwright.errors import DataError, MaskwrightError
from maskwright.files.annotations import annotation_format, formats

ONE_EACH: Final = ("geojson", "labelme", "yolo")
"""Formats with a file an image."""
_MANY = 8
_LOOKED_AT = 5
_NO_ANNOTATIONS = re.compile(
    r"sample[_ -]?submission|classes\.txt|obj\.names|readme|license|(train|val|valid|test)\.txt"
)
_NUMBER = re.compile(r"(\d+)")


@dataclass
class Found:
    """The annotation files of a folder and those below it."""

    files: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    """Format → files, in natural order."""
    broken: dict[Path, MaskwrightError] = field(default_factory=dict)
    """Files that are called as annotations are and could not be looked into, and why."""


def annotation_files(root: Path) -> Found:
    """The stated annotation file, or those of the stated folder; else all of the folder and those below it. Of a folder
    of many some are looked into.

    Raises:
        DataError: what is stated is missing.
    """
    stated = told().annotations
    found = Found()
    if stated is None or stated.is_dir():
        for folder, _ in tree(stated or root):
            for files in _by_suffix(folder):
                _tell(files, found)
    elif stated.is_file():
        _tell([stated], found)
    else:
        raise DataError(
            f"dataset.yaml says annotations: file: {relative(stated, root)}, which does not exist in {root}."
        )
    return found


def part_of(path: Path, root: Path) -> str | None:
    """The part that the file's name or, from the innermost, its folders' names say: `instances_train2017.json`,
    `valid/_annotations.coco.json`, `images/test/1.jpg`.
    """
    inside = path.relative_to(root) if path.is_relative_to(root) else path
    for name in reversed(inside.parts[:-1]):
        if split := meaning(name).split or _in_words(name):
            return split
    return None


def part_of_file(path: Path, root: Path) -> str | None:
    """The same of an annotation file, whose own name is asked first."""
    return _in_words(path.stem) or part_of(path, root)


def natural(path: Path) -> list[tuple[int, int | str]]:
    """A key that puts `img2` before `img10`."""
    parts = (part for part in _NUMBER.split(str(path).lower()) if part)
    return [(0, int(part)) if part.isdecimal() and part.isascii() else (1, part) for part in parts]


def _in_words(name: str) -> str | None:
    found = {SPLITS[word] for word in re.findall(r"[a-z]+", name.lower()) if word in SPLITS}
    return next(iter(found)) if len(found) == 1 else None


def _by_suffix(folder: Path) -> Iterator[list[Path]]:
    suffixes = {suffix for _, one in formats.items() for suffix in one.suffixes} - {".yaml", ".yml"}
    files: dict[str, list[Path]] = defaultdict(list)
    with os.scandir(folder) as entries:
        for entry in entries:
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - for each of many files
            if suffix in suffixes and entry.name[0] != "." and entry.is_file():
                files[suffix].append(folder / entry.name)
    for _, same in sorted(files.items()):
        if kept := [path for path in same if not _NO_ANNOTATIONS.match(path.name.lower())]:
            yield sorted(kept, key=natural)


def _tell(files: Sequence[Path], found: Found) -> None:
    """Puts the files, of one folder and one suffix, to those of their format."""
    some = files if len(files) <= _MANY else files[:: max(1, len(files) // _LOOKED_AT)]
    looked_at = {path: kind for path in some if (kind := _format(path, found))}
    if not looked_at:
        return
    usual, _ = Counter(looked_at.values()).most_common(1)[0]
    for path in files:
        if path in looked_at or len(some) < len(files):
            found.files[looked_at.get(path, usual)].append(path)
        elif usual in ONE_EACH and path in found.broken:
            found.files[usual].append(path)  # told of its image when all files are opened
            del found.broken[path]


def _format(path: Path, found: Found) -> str | None:
    try:
        return annotation_format(path)
    except MaskwrightError as error:
        found.broken[path] = error
        return None
