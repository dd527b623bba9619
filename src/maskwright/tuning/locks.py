"""A file that one process at a time holds; whatever ends the process, the system lets go of it."""

import os
import sys
import time
from pathlib import Path
from typing import Self

if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(handle: int) -> None:
        # lockf rather than flock: a worker that was forked does not hold it on after its parent has died.
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


POLL = 0.02
"""Seconds between two attempts to get a lock."""


class FileLock:
    """A lock between processes, not between the threads of one."""

    def __init__(self, path: Path):
        self.path = path
        self._handle: int | None = None

    def attempt(self) -> bool:
        """Take the lock if no other process has it; whether it was taken."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT)
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def acquire(self) -> bool:
        """Take the lock, as soon as no other process has it. Returns True, as Optuna wants it."""
        while not self.attempt():
            time.sleep(POLL)
        return True

    def release(self) -> None:
        """Let go of the lock, if it is held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
