"""What a person names on the command line, as files; and where their masks go."""

import glob
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from maskwright.errors import DataError, ReadError
from maskwright.files import STACK_SUFFIXES, files_in, head_of, is_picture_folder, pages_in, stem, suffix_of
from maskwright.records import is_half_written


@dataclass(frozen=True)
class Input:
    """An image that is to be predicted."""

    image: Path
    inside: Path
    """The folder its results get inside of OUT: `.`, or where a pattern's wildcards lead."""

    def target(self, out: Path) -> Path:
        """Where its results go, without a suffix."""
        return out / self.inside / stem(self.image)


def expanded(inputs: Sequence[str | Path]) -> list[Input]:
    """The images that paths, folders and patterns mean, each once. The results of `scenes/*/image.tif` go into folders
    of their own, as they would else all be called the same; those of `scans/*.tif` do not.

    Raises:
        DataError: one of them means nothing.
    """
    found: dict[Path, Input] = {}
    for text in inputs:
        path = Path(text)
        if path.is_dir() and not is_picture_folder(path):
            images = [Input(image, Path()) for image in files_in(path)]
        elif path.exists():
            images = [Input(path, Path())]
        else:
            images = list(_matches(str(text)))
        if not images:
            raise DataError(f"{text} is neither an image, nor a folder with images, nor a pattern that matches any.")
        for one in images:
            found.setdefault(one.image, one)
    return list(found.values())


def _matches(pattern: str) -> Iterator[Input]:
    start = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parent.parts))
    for match in map(Path, sorted(glob.glob(pattern, recursive=True))):
        if match.is_file() or is_picture_folder(match):
            yield Input(match, match.parent.relative_to(start))


def targets(images: Sequence[Input], out: Path) -> dict[Path, Input]:
    """Where the results of each image go, without a suffix.

    Raises:
        DataError: those of two images would be called the same.
    """
    found: dict[Path, Input] = {}
    for one in images:
        if (other := found.setdefault(target := one.target(out), one)) is not one:
            raise DataError(
                f"{other.image} and {one.image} would both become {target}. Predict them into different folders."
            )
    return found


def is_stack(image: Path) -> bool:
    """Whether a file has several pages, each an image; a file that does not open is none."""
    with suppress(ReadError):
        return suffix_of(image) in STACK_SUFFIXES and pages_in(image) > 1
    return False


class Standing:
    """What stands in the folders of results, each listed once: there may be as many files as images."""

    def __init__(self) -> None:
        self._names: dict[Path, list[str]] = {}

    def __contains__(self, target: Path) -> bool:
        """Whether any file or folder is called as a target and something behind it."""
        names = self._in(target.parent)
        at = bisect_left(names, target.name)
        return at < len(names) and names[at].startswith(target.name)

    def half_written(self, targets: Iterable[Path]) -> Iterator[Path]:
        """What writers that were killed have left of these targets' files."""
        known: dict[Path, set[str]] = {}
        for target in targets:
            known.setdefault(target.parent, set()).add(target.name)
        for folder, stems in known.items():
            for path in (folder / name for name in self._in(folder) if name.startswith(".")):
                parts = path.name[1:].split(".")
                if is_half_written(path) and any(".".join(parts[:n]) in stems for n in range(1, len(parts))):
                    yield path

    def _in(self, folder: Path) -> list[str]:
        if folder not in self._names:
            self._names[folder] = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        return self._names[folder]


def windows_in(images: Sequence[Input]) -> int:
    """About how many windows of 512 × 512 pixels the images have, told by the first that opens."""
    for one in images[:10]:
        with suppress(ReadError):
            header = head_of(one.image).header
            return len(images) * -(-header.height * header.width // 512**2)
    return len(images)
