"""Archives become folders, and nothing else: no member leaves the folder, and no link or device is made."""

import contextlib
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Literal

from maskwright.datasets.transfer import need_room
from maskwright.errors import ReadError

Tell = Callable[[int, int], None]
"""Told after each member: bytes of the archive that are read, and its size."""

_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError)


def unpack(
    archive: Path, kind: Literal["tar", "zip"], target: Path, *, drop: str | None = None, tell: Tell | None = None
) -> None:
    """Write the files of an archive below `target`; `drop` is a top folder of the archive that is left away.

    A tar may be compressed with gzip, bzip2 or xz. Owners, modes and dates are not taken over.

    Raises:
        ReadError: the archive is damaged, or a member is no file or folder inside it; what was written so far stays.
        DownloadError: what a zip holds does not fit on the disk.
        OSError: the disk is full or may not be written.
    """
    members = {"tar": _tar_members, "zip": _zip_members}[kind]
    size = archive.stat().st_size
    target.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.closing(members(archive, target)) as unpacked:
            for name, content, read in unpacked:
                _write(content, target / _place(archive, name, drop))
                if tell:
                    tell(read, size)
    except _DAMAGED as error:
        raise ReadError(f"{archive} is damaged, or no {kind} archive ({error}). Fetch it again.") from error


def _write(content: IO[bytes] | None, place: Path) -> None:
    if content is None:
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)


_Member = tuple[str, IO[bytes] | None, int]
"""Name, content (None for a folder), bytes of the archive that are read."""


def _tar_members(archive: Path, target: Path) -> Generator[_Member]:
    with archive.open("rb") as raw, tarfile.open(fileobj=raw) as tar:
        for member in tar:
            if not (member.isreg() or member.isdir()):
                raise _refused(archive, member.name, "a link or a device")
            _place(archive, member.name)
            if hasattr(tarfile, "data_filter"):  # Python 3.11.4; its own check, should ours forget something
                tarfile.data_filter(member, str(target))
            yield member.name, None if member.isdir() else tar.extractfile(member), raw.tell()


def _zip_members(archive: Path, target: Path) -> Generator[_Member]:
    read = 0
    with zipfile.ZipFile(archive) as packed:
        need_room(target, sum(member.file_size for member in packed.infolist()))
        for member in packed.infolist():
            if stat.S_IFMT(member.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _refused(archive, member.filename, "a link or a device")
            if member.flag_bits & 1:
                raise _refused(archive, member.filename, "encrypted")
            read += member.compress_size
            yield member.filename, None if member.is_dir() else _opened(packed, member, archive), read


def _opened(packed: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path) -> IO[bytes]:
    try:
        return packed.open(member)
    except NotImplementedError as error:
        raise _refused(archive, member.filename, f"packed in a way unknown here: {error}") from error


def _place(archive: Path, name: str, drop: str | None = None) -> PurePosixPath:
    """Where a member goes, below the target."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or PureWindowsPath(name).drive:
        raise _refused(archive, name, "a place outside the archive's folder")
    return path.relative_to(drop) if drop and path.is_relative_to(drop) else path


def _refused(archive: Path, name: str, what: str) -> ReadError:
    return ReadError(
        f"{archive} holds {name!r}, which is {what}. No data set needs that: the archive is not unpacked. Look at "
        "where it comes from."
    )
