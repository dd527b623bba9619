"""One process at a time works in a run folder."""

import errno
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from maskwright.errors import CheckpointError

NAME: Final = "lock"
_TAKEN: Final = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_mine: set[Path] = set()
"""Locks of this process: the system would grant it the same one twice."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """A block during which no other process works in the folder.

    The system holds the lock and lets go of it when the process ends, however that comes; the file, which says who
    has it, is only shown. Loader workers do not inherit it.

    Raises:
        CheckpointError: another process, or another thread of this one, is at work there.
    """
    path = folder.resolve() / NAME
    if path in _mine:
        raise CheckpointError(f"{folder} is being worked on by this very process. Wait for that to end.")
    file = _locked(path, folder)
    _mine.add(path)
    try:
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()} {platform.node()}\n".encode())
        file.flush()
        yield
    finally:
        _mine.discard(path)
        with suppress(OSError):  # Windows removes nothing that is open; it is removed the next time
            path.unlink()
        file.close()


def _locked(path: Path, folder: Path) -> BinaryIO:
    """The file, opened and locked."""
    while True:
        file = path.open("a+b")
        try:
            _lock(file)
        except OSError as error:
            file.seek(0)
            who = file.read().decode(errors="replace").split()
            file.close()
            if error.errno in _TAKEN or _alive(who):
                raise CheckpointError(_taken(folder, who)) from None
            return path.open("a+b")  # a file system without locks: what the file says is all there is to know
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # it was removed by the one who had it before: look again


def _taken(folder: Path, who: list[str]) -> str:
    by = f"process {who[0]} on {who[1]}" if len(who) == 2 else "another process"
    return f"{folder} is being worked on by {by}. Wait for it to end, or stop it: kill {who[0] if who else 'PID'}"


def _alive(who: list[str]) -> bool:
    """Whether the process is one of this machine that still runs."""
    if len(who) != 2 or who[1] != platform.node() or not who[0].isdecimal() or sys.platform == "win32":
        return False
    try:
        os.kill(int(who[0]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return int(who[0]) != os.getpid()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        # Far behind what is written: Windows lets nobody read what is locked.
        file.seek(1 << 20)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        # Of the process, not of the open file as `flock`: workers that outlive a killed parent would hold that on.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
