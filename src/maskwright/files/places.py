"""What a path is and holds, whether it leads to a file, a folder, or a file or folder in an archive."""

import hashlib
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from maskwright.errors import ReadError
from maskwright.files import archives


def is_file(path: str | Path) -> bool:
    """Whether the path is a file, on the disk or in an archive; an archive itself is one, too."""
    try:
        return archives.inside(path) is not None or Path(path).is_file()
    except ReadError:
        return False


def is_folder(path: str | Path) -> bool:
    """Whether the path is a folder whose files `files_in` lists: one of the disk, an archive, or a folder in one."""
    try:
        return archives.folder_inside(path) is not None or Path(path).is_dir()
    except ReadError:
        return False


def folders_in(folder: str | Path) -> list[Path]:
    """The folders in a folder, in the order of their names; hidden ones are passed over, archives are none of them.

    Raises:
        ReadError: the folder is an archive that does not open, or one of the disk that cannot be listed.
    """
    folder = Path(folder)
    if (found := archives.folder_inside(folder)) is not None:
        names = found[1]
    else:
        try:
            names = [path.name for path in folder.iterdir() if path.is_dir()]
        except OSError as error:
            raise ReadError(f"{folder} cannot be listed ({error.strerror}). Check path and permissions.") from error
    return [folder / name for name in sorted(names) if not name.startswith(".")]


def open_file(path: str | Path) -> BinaryIO:
    """The file, open for reading.

    Raises:
        ReadError: it is missing, or lies in an archive that is damaged.
    """
    path = Path(path)
    found = archives.inside(path)
    try:
        return path.open("rb") if found is None else found.open()
    except ReadError as error:
        raise ReadError(f"{path} {error}") from error.__cause__
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror}). Check path and permissions.") from error


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file.

    Raises:
        ReadError: as for `open_file`.
    """
    with open_file(path) as file:
        return file.read()


def stamp(path: str | Path) -> tuple[int, ...]:
    """Size in bytes and times of the last change of contents and of the last change at all, in ns: as long as they
    stay, so does the file. Of a file in an archive, the times are the archive's.

    Raises:
        ReadError: there is no such file.
    """
    if (found := archives.inside(path)) is not None:
        return found.stamp
    try:
        about = os.stat(path)  # noqa: PTH116 - the method costs as much again
        if stat.S_ISDIR(about.st_mode):  # one that is a picture, as Zarr is
            inner = [archives.times_of(part.stat()) for part in _parts(Path(path))]
            return (sum(one[0] for one in inner), *(max(times) for times in zip(*inner, strict=True)))
        return archives.times_of(about)
    except NotADirectoryError:
        return stamp(Path(path).parent)  # one of several arrays in a file
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror}). Check path and permissions.") from error


def content_hash(path: str | Path, *, as_read: bool = False) -> str:
    """A hash of what a file holds: equal for equal contents, whatever they are called and wherever they lie.

    as_read: of a small file that this thread has read last, what it held then; asking the disk again costs as much as
    the hash.

    Raises:
        ReadError: there is no such file.
    """
    if as_read and (data := archives.just_read(path, None)) is not None:
        return hashed(data)
    path, now = path if isinstance(path, Path) else Path(path), stamp(path)
    data = archives.just_read(path, now)
    return _content_hash(path, now) if data is None else hashed(data)


@lru_cache(maxsize=16)
def _content_hash(path: Path, stamp: tuple[int, ...]) -> str:
    # Each page of a stack asks for the hash of the whole; the stamp only says which file is meant.
    if path.is_dir():  # one that is a picture, as Zarr is
        return hashed(" ".join(f"{part.relative_to(path)} {content_hash(part)}" for part in _parts(path)).encode())
    if path.parent.is_file() and not archives.is_archive(path.parent):  # one of several arrays in a file
        return hashed(f"{content_hash(path.parent)} {path.name}".encode())
    return hashed(read_bytes(path))


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def hashed(data: bytes) -> str:
    """The hash of these bytes."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()
