"""Archives as folders: `shards/train-0000.tar/000017.jpg` is a file like any other, read from its place in the tar.

A `.tar` that is not compressed and a `.zip` are such folders. What lies in an archive is found once and remembered
for as long as the archive stays the same; every read opens the archive anew, so threads and processes do not meet.
"""

import io
import os
import re
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from maskwright.errors import ReadError
from maskwright.files.archive_index import UNPACK, Contents, Member, contents_of

ARCHIVE_SUFFIXES: Final = (".tar", ".zip")
"""What the names of archives end in that are folders to us."""

REMEMBERED: Final = 2_000_000
"""Members of all archives together whose places are remembered, about 250 bytes each; one archive always is."""
SMALL: Final = 1 << 20
"""Bytes up to which a member is read whole, at once."""
LARGEST_DEFLATED: Final = 1 << 29
"""Bytes of a deflated member, which must be in memory whole, as it cannot be read from its middle."""

_HINT: Final = re.compile(r"\.(tar|zip|tgz|tbz2?|txz)", re.I)
_COMPRESSED: Final = re.compile(r"\.(tar\.(gz|bz2|xz|zst|lz4|lzma|z)|tgz|tbz2?|txz)$", re.I)


@dataclass(frozen=True)
class Inside:
    """A file in an archive."""

    archive: Path
    member: Member
    stamp: tuple[int, ...]
    """Size of the file, and when the archive was changed; see `places.stamp`."""

    def open(self) -> BinaryIO:
        """The file, open for reading.

        Raises:
            ReadError: a predicate: it is damaged, or too large to be unpacked in memory.
        """
        if self.archive.suffix.lower() == ".zip":
            return self._unzipped()
        if self.member.size > SMALL:
            return self._window(self.member.start)
        with self.archive.open("rb", buffering=0) as file:
            file.seek(self.member.start)
            return InMemory(_whole(file, self.member.size), self._identity)

    def _unzipped(self) -> BinaryIO:
        with self.archive.open("rb") as file:
            file.seek(self.member.start)
            header = _whole(file, 30)
            if header[:4] != b"PK\3\4":
                raise ReadError(f"is not where {self.archive} says. The archive is damaged: copy or download it again.")
            start = self.member.start + 30 + sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
            if not self.member.deflated and self.member.size > SMALL:
                return self._window(start)
            if self.member.size > LARGEST_DEFLATED:
                raise ReadError(f"unpacks to {self.member.size:,} bytes. Unpack it, or pack it anew stored (`zip -0`).")
            file.seek(start)
            data = _whole(file, self.member.stored)
        if self.member.deflated:
            data = _inflated(data, self.member.size)
        if len(data) != self.member.size or zlib.crc32(data) != self.member.check:
            raise ReadError(f"is damaged in {self.archive}. Copy or download the archive again.")
        return InMemory(data, self._identity)

    def _window(self, start: int) -> BinaryIO:
        file = self.archive.open("rb", buffering=0)
        return io.BufferedReader(_Window(file, start, self.member.size, self._identity), 1 << 16)

    @property
    def _identity(self) -> tuple[object, ...]:
        return (self.archive, self.member.start, *self.stamp)


class InMemory(io.BytesIO):
    """The bytes of a file, and which file it was."""

    def __init__(self, data: bytes, identity: tuple[object, ...]):
        super().__init__(data)
        self.identity = identity


def identity(file: BinaryIO) -> tuple[object, ...] | None:
    """Which file this is, in the state it has now: equal for files that were opened one after the other. None if it
    is none that we have opened.
    """
    if (known := getattr(getattr(file, "raw", file), "identity", None)) is not None:
        return tuple(known)
    try:
        about = os.fstat(file.fileno())
    except (OSError, io.UnsupportedOperation):
        return None
    return about.st_dev, about.st_ino, *times_of(about)


def open_quickly(path: Path) -> BinaryIO:
    """The file of the disk, open for reading; a small one is read at once, as every seek of its reader would cost."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - the method costs as much again
        about = os.fstat(file.fileno())
        if about.st_size <= SMALL:
            data = file.read()
            _read_last.keep(str(path), times_of(about), data)
            return InMemory(data, (about.st_dev, about.st_ino, *times_of(about)))
    return path.open("rb")


def just_read(path: str | Path, stamp: tuple[int, ...] | None) -> bytes | None:
    """The bytes of a small file of the disk that this thread has just read, if it had this stamp then, or any."""
    return _read_last.bytes_of(str(path), stamp)


def times_of(about: os.stat_result) -> tuple[int, ...]:
    """The stamp of a file; see `places.stamp`."""
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns


class _ReadLast(threading.local):
    """The two files that a thread has read last, an image and its mask: their hashes are asked for next."""

    def __init__(self) -> None:
        self._files: list[tuple[str, tuple[int, ...], bytes]] = []

    def keep(self, path: str, stamp: tuple[int, ...], data: bytes) -> None:
        self._files = [*self._files[-1:], (path, stamp, data)]

    def bytes_of(self, path: str, stamp: tuple[int, ...] | None) -> bytes | None:
        for name, then, data in reversed(self._files):
            if name == path and stamp in (None, then):
                return data
        return None


_read_last = _ReadLast()


def is_archive(path: str | Path) -> bool:
    """Whether the path is a file that is a folder to us, by its name."""
    path = Path(path)
    return path.suffix.lower() in ARCHIVE_SUFFIXES and path.is_file()


def inside(path: str | Path) -> Inside | None:
    """The file in an archive that a path means; None if it leads through none.

    Raises:
        ReadError: the archive is damaged or compressed as a whole, or holds no such file; a whole sentence.
    """
    if (found := parted(path)) is None or not found[1]:
        return None
    archive, name = found
    contents, times = _remembered.contents(archive)
    if (member := contents.members.get(name)) is None:
        what = f"{name} is a folder there" if name in contents.folders else f"it holds {len(contents.members)} others"
        raise ReadError(f"{archive} has no file {name}: {what}. Check the path.")
    return Inside(archive, member, (member.size, *times))


def folder_inside(path: str | Path) -> tuple[list[str], list[str]] | None:
    """Names of the files and of the folders in an archive, or in a folder of it; None if the path leads to no archive.

    Raises:
        ReadError: the archive is damaged or compressed as a whole, or holds no such folder; a whole sentence.
    """
    if (found := parted(path)) is None:
        return None
    archive, name = found
    contents, _ = _remembered.contents(archive)
    if name not in contents.folders:
        what = "is a file there" if name in contents.members else "does not exist there"
        raise ReadError(f"A folder {name} was expected in {archive}, but it {what}. Check the path.")
    return contents.files.get(name, []), list(contents.folders[name])


def members(archive: str | Path) -> list[str]:
    """The names of all files in an archive, with the folders they lie in, in the order of the archive.

    Raises:
        ReadError: the archive is missing, damaged or compressed as a whole.
    """
    return list(_remembered.contents(Path(archive))[0].members)


def parted(path: str | Path) -> tuple[Path, str] | None:
    """The archive that a path leads through, and the rest of the path, `""` for the archive itself; None if none.

    Raises:
        ReadError: it leads through an archive that is compressed as a whole.
    """
    # Of nearly every path this is all that is asked.
    lower = os.fspath(path).lower()
    if (".t" not in lower and ".z" not in lower) or not _HINT.search(lower):
        return None
    parts = Path(path).parts
    for end, part in enumerate(parts, start=1):
        compressed = _COMPRESSED.search(part)
        if not compressed and not part.lower().endswith(ARCHIVE_SUFFIXES):
            continue
        archive = Path(*parts[:end])
        if not archive.is_file():
            continue
        if compressed:
            raise ReadError(f"{archive} is compressed as a whole. {UNPACK}")
        return archive, "/".join(parts[end:])
    return None


class _Remembered:
    """The contents of the archives that were read last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}
        self._known: OrderedDict[Path, tuple[tuple[int, int, int], Contents]] = OrderedDict()

    def contents(self, archive: Path) -> tuple[Contents, tuple[int, int]]:
        """The contents as they are now, and the times of the archive's last changes, in ns."""
        try:
            about = archive.stat()
            times = (about.st_mtime_ns, about.st_ctime_ns)
            stamp = (about.st_size, *times)
            with self._lock:
                lock = self._locks.setdefault(archive, threading.Lock())
                if (known := self._get(archive, stamp)) is not None:
                    return known, times
            with lock:  # a second thread waits here, and finds what the first one found
                with self._lock:
                    known = self._get(archive, stamp)
                if known is None:
                    known = contents_of(archive)
                    with self._lock:
                        self._keep(archive, stamp, known)
        except OSError as error:
            raise ReadError(f"{archive} cannot be read ({error.strerror}). Check path and permissions.") from error
        return known, times

    def _get(self, archive: Path, stamp: tuple[int, int, int]) -> Contents | None:
        if archive not in self._known or self._known[archive][0] != stamp:
            return None
        self._known.move_to_end(archive)
        return self._known[archive][1]

    def _keep(self, archive: Path, stamp: tuple[int, int, int], contents: Contents) -> None:
        self._known[archive] = (stamp, contents)
        self._known.move_to_end(archive)
        total = sum(len(known.members) for _, known in self._known.values())
        while total > REMEMBERED and len(self._known) > 1:
            gone, (_, known) = self._known.popitem(last=False)
            self._locks.pop(gone, None)
            total -= len(known.members)


_remembered = _Remembered()


def _begin_anew() -> None:
    # A thread of the parent may have held a lock when the process was copied.
    global _remembered
    _remembered = _Remembered()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class _Window(io.RawIOBase):
    """A part of a file, as if it were a file of its own."""

    def __init__(self, file: io.FileIO, start: int, size: int, identity: tuple[object, ...]):
        self.identity = identity
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(f"negative seek position {at}")
        self._at = at
        return at

    # io.BufferedReader gives a memoryview; the base class allows any buffer.
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._start + self._at)
        read = self._file.readinto(memoryview(buffer)[:count]) or 0
        self._at += read
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


def _inflated(data: bytes, size: int) -> bytes:
    """What a member unpacks to, or nothing if it is damaged; no more than a byte over its size."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error:
        return b"" if size else b"damaged"


def _whole(file: BinaryIO | io.FileIO, size: int) -> bytes:
    """So many bytes.

    Raises:
        ReadError: there are fewer.
    """
    data = file.read(size)
    if data is None or len(data) < size:
        raise ReadError("reaches past the end of its archive. Copy or download the archive again.")
    return data
