"""Looking into folders: each is listed once, however many layouts ask, and what a person stated is at hand."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskwright import files
from maskwright.files.annotations import Reading

DEEPEST = 8
"""Folders further down than this are not looked into."""


@dataclass(frozen=True)
class Told:
    """What a `dataset.yaml` states that layouts must know."""

    layout: str | None = None
    bands: tuple[str, ...] = ()
    """Ends of the names of an image's files, in the order of its channels."""
    annotators: str | None = None
    """`vote`, or the name of the one who is believed."""
    overlap: tuple[str, ...] = ()
    """Classes with a file each, the later seen over the earlier."""
    axes: str | None = None
    """What each axis of an image file is."""
    valid: str | None = None
    """A folder of masks that are 0 where pixels count nowhere."""
    instances: bool | int | str = False
    """Whether mask values are objects; how many of them a class has; or a folder of files that number objects."""
    annotations: Path | None = None
    """The annotation file, or the folder of such, that counts."""
    reading: Reading = field(default_factory=Reading)
    """What annotation files leave open."""
    values: Mapping[str, int] | None = None
    """Class name → mask value."""


@dataclass(frozen=True)
class _Looking:
    told: Told = Told()
    hidden: frozenset[Path] = frozenset()
    pictures: dict[Path, list[Path]] = field(default_factory=dict)
    folders: dict[Path, list[Path]] = field(default_factory=dict)


_now: ContextVar[_Looking | None] = ContextVar("looking", default=None)


@contextmanager
def looking(given: Told | None = None, hidden: Iterable[Path] = ()) -> Iterator[None]:
    """For the length of a block every folder is listed once, and the hidden ones are not seen; inside another such
    block, what that has listed is known.
    """
    outer = _now.get() or _Looking()
    inner = replace(outer, told=given or outer.told, hidden=outer.hidden | frozenset(hidden))
    token = _now.set(inner)
    try:
        yield
    finally:
        _now.reset(token)


def told() -> Told:
    """What is stated."""
    return (_now.get() or _Looking()).told


def files_in(folder: Path) -> list[Path]:
    """The pictures of a folder, as `files.files_in` gives them."""
    now = _now.get()
    if now is None:
        return files.files_in(folder)
    if folder in now.hidden:
        return []
    if folder not in now.pictures:
        now.pictures[folder] = files.files_in(folder)
    return list(now.pictures[folder])


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, in order of name; none if it is no folder itself. Hidden ones are passed over."""
    now = _now.get()
    known = {} if now is None else now.folders
    if folder not in known:
        known[folder] = _folders(folder)
    return [path for path in known[folder] if now is None or path not in now.hidden]


def tree(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """The folder and all below it, each with its pictures."""
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop(0)
        yield folder, files_in(folder)
        if depth < DEEPEST:
            # A link to a folder around it would be followed for ever.
            inner = (path for path in folders_in(folder) if not (path.is_symlink() and _leads_up(path)))
            waiting += [(path, depth + 1) for path in inner]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return files.folders_in(folder) if files.is_folder(folder) else []  # an archive, or a folder in one
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    pictures = {path.name for path in files_in(folder)} if any("." in name for name in names) else set()
    return [folder / name for name in sorted(names) if name not in pictures and name != "__MACOSX"]


def _leads_up(path: Path) -> bool:
    target = path.resolve()
    return any(target == above.resolve() for above in path.parents)
