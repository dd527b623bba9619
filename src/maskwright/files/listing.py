"""Folders: the files worth looking at, in the order a person would put them."""

import os
import re
from collections.abc import Collection, Iterator, Set
from pathlib import Path
from typing import Final

from maskwright.errors import ReadError
from maskwright.files.archives import folder_inside
from maskwright.files.opening import is_picture_folder
from maskwright.files.readers import Reader, paged, readers

# What file managers leave behind. Hidden files are passed over anyway.
_LITTER: Final = {"thumbs.db", "ehthumbs.db", "desktop.ini"}


class _Suffixes(Set[str]):
    """The suffixes of all readers at the time of asking, so that a plug-in's are among them."""

    def __init__(self, *, of_stacks: bool = False):
        self._of_stacks = of_stacks

    def __contains__(self, suffix: object) -> bool:
        return any(suffix in reader.suffixes for reader in self._readers())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({suffix for reader in self._readers() for suffix in reader.suffixes}))

    def _readers(self) -> Iterator[type[Reader]]:
        return (reader for _, reader in readers.items() if paged(reader) or not self._of_stacks)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self))}}}"


IMAGE_SUFFIXES: Final[Set[str]] = _Suffixes()
"""Suffixes of the files worth looking at, lower case with the dot: `.png`, `.tif`, `.nii.gz` …, as the readers name
them; `suffix_of(path)` gives that of a file.
"""

STACK_SUFFIXES: Final[Set[str]] = _Suffixes(of_stacks=True)
"""Those of them whose files may hold several pages: `.tif`, `.nii.gz`, `.zarr` …"""


def files_in(folder: str | Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[Path]:
    """The files of a folder with such a suffix, in capitals or not, in natural order: img2 stands before
    img10.

    Subfolders are not entered; one that is a picture, as `cells.zarr`, counts as a file. Hidden files and what file
    managers leave behind are passed over. An archive is a folder: `files_in("train-0000.tar")` gives
    `train-0000.tar/000017.jpg` and so on.

    Raises:
        ReadError: there is no such folder.
    """
    folder = Path(folder)
    wanted = _endings(suffixes)
    if (packed := folder_inside(folder)) is not None:
        names = [name for name in packed[0] if _wanted(name, wanted)]
        return [folder / name for name in sorted(names, key=_natural)]
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _wanted(entry.name, wanted) and _is_picture(entry)]
    except FileNotFoundError:
        raise ReadError(f"{folder} does not exist; a folder of images was expected there. Check the path.") from None
    except NotADirectoryError:
        raise ReadError(f"{folder} is a file; a folder of images was expected. Name the folder around it.") from None
    except OSError as error:
        raise ReadError(f"{folder} cannot be listed ({error.strerror}). Check its permissions.") from error
    return [folder / name for name in sorted(names, key=_natural)]


def has_files(folder: str | Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> bool:
    """Whether `files_in` would list any: without looking at all of them."""
    wanted = _endings(suffixes)
    if (packed := folder_inside(folder)) is not None:
        return any(_wanted(name, wanted) for name in packed[0])
    try:
        with os.scandir(folder) as entries:
            return any(_wanted(entry.name, wanted) and _is_picture(entry) for entry in entries)
    except OSError:
        return bool(files_in(folder, suffixes))  # says what is wrong


def _endings(suffixes: Collection[str]) -> tuple[str, ...]:
    return tuple({f".{suffix.lstrip('.').lower()}" for suffix in suffixes})


def _wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    name = name.lower()
    return name.endswith(suffixes) and not name.startswith(".") and name not in _LITTER


def _is_picture(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() or (entry.is_dir() and is_picture_folder(entry.path))


def _natural(name: str) -> tuple[list[str | int], str]:
    # Splitting at digits puts text at even places and numbers at odd ones, so unlike never meets unlike.
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name
