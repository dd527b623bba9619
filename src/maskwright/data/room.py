"""How much of the disk decoded images may take, and what happens when there is too little."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from maskwright.errors import SettingError

SHARE: Final = 0.5
"""Of the free disk, what a run takes for its cache unless told."""
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Room:
    """Bytes that a cache may take, and why so many."""

    bytes: int
    reason: str


def room_for(folder: Path, gigabytes: float | None) -> Room:
    """The room for a cache in a folder: what is asked for, else half of what is free.

    What lies in the folder already counts as free: it is either used or replaced.
    """
    if gigabytes is not None:
        return Room(int(gigabytes * 1e9), "as asked for")
    free = free_bytes(folder)
    return Room(int(free * SHARE), f"half of the {shown(free)} that are free on the disk")


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of a folder, with what lies in the folder."""
    there = folder.absolute()
    own = sum(map(_size, there.rglob("*.bin"))) if there.is_dir() else 0
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free + own


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process has just put it in its place
        return 0


def demand_room(folder: Path, needed: int) -> None:
    """Nothing, if so many bytes can be written into a folder.

    Raises:
        SettingError: the disk has not as many.
    """
    if needed > (free := free_bytes(folder)):
        raise SettingError(
            f"The decoded images take {shown(needed)} in {folder}, where {shown(free)} are free. Free some, give "
            f"another --out, or keep fewer of them with training.cache_gb={free * SHARE / 1e9:.2g}."
        )


def is_full(error: OSError) -> bool:
    """Whether an error says that a disk is full, or what this user may write."""
    return error.errno in _FULL


@contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """A block that writes into a folder; if the disk is full, the error says what to do.

    Raises:
        SettingError: the disk is full, or what this user may write.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise SettingError(
            f"The disk filled up while decoded images were written into {folder} ({error.strerror}). Free some of it, "
            "give another --out, or keep fewer images with training.cache_gb, e.g. training.cache_gb=0."
        ) from error


def shown(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1e9:.3g} GB" if count >= 1e8 else f"{count / 1e6:.3g} MB"
