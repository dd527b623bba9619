"""What lies in an archive and where: the members of an uncompressed tar or of a zip, found without unpacking any.

A member is later read from its place in the archive, so nothing is ever written anywhere.
"""

import io
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from maskwright.errors import ReadError

BLOCK: Final = tarfile.BLOCKSIZE
DEEPEST: Final = 64
"""Folders within folders."""
LONGEST_HEADER: Final = 2**24
"""Bytes of the longest name, or of all that is told of one member of a tar."""
_DRIVE: Final = re.compile(r"[A-Za-z]:[/\\]")
_DEFLATED: Final = {zipfile.ZIP_STORED: False, zipfile.ZIP_DEFLATED: True}


UNPACK: Final = (
    "Its members cannot be read from their places: decompress it first (`gunzip`, `unxz`, `zstd -d`), and the .tar is "
    "read without unpacking it."
)
"""What to do about a tar that is compressed as a whole."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file lies in its archive."""

    start: int  # in a tar of the bytes, in a zip of the header before them
    stored: int  # bytes in the archive
    size: int  # bytes of the file
    deflated: bool = False
    check: int | None = None  # CRC-32, which a tar has not


@dataclass(frozen=True)
class Contents:
    """The files of an archive in their order, and what each folder in it holds; the archive itself is the folder ""."""

    members: dict[str, Member] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    folders: dict[str, dict[str, None]] = field(default_factory=lambda: {"": {}})

    def add(self, name: str, member: Member) -> None:
        """One more file. Of two with one name the later counts, as where both are unpacked."""
        folder, _, last = name.rpartition("/")
        if name not in self.members:
            self.files.setdefault(folder, []).append(last)
        self.members[name] = member
        self._know(folder)

    def _know(self, folder: str) -> None:
        if folder not in self.folders:
            self.folders[folder] = {}
            above, _, last = folder.rpartition("/")
            self._know(above)
            self.folders[above][last] = None


def contents_of(path: Path) -> Contents:
    """The contents of the archive.

    Raises:
        ReadError: it is damaged, compressed as a whole, or holds a link or a name that leads out of it.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(b"\x1f\x8b"):
        raise ReadError(f"{path} is compressed as a whole. {UNPACK}")
    if not head:
        raise ReadError(f"{path} is empty (0 bytes); an archive was expected. Copy or download it again.")
    found = Contents()
    try:
        for name, member in _zipped(path) if path.suffix.lower() == ".zip" else _tarred(path):
            found.add(_sound(path, name), member)
    except (ReadError, OSError, MemoryError):
        raise
    except Exception as error:  # tarfile and zipfile stumble anywhere in damaged bytes: ValueError, KeyError …
        raise ReadError(f"{path} is damaged or no such archive ({error}). Copy or download it again.") from error
    return found


class _Headers(io.BufferedReader):
    """A tar of which only headers are read: `tarfile` makes room for whatever length a damaged one says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return super().read(size)


def _tarred(path: Path) -> Iterator[tuple[str, Member]]:
    length = path.stat().st_size
    with _Headers(io.FileIO(path)) as file, tarfile.open(path, "r:", fileobj=file) as tar:
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # they would all be kept a second time
            if info.isdir():
                continue
            if info.issparse() or not info.isfile():
                raise ReadError(
                    f"{path} holds {info.name!r}, which is {'sparse' if info.issparse() else 'a link or a device'}, no "
                    "plain file. Pack it anew with the files themselves (`tar --dereference`)."
                )
            if info.offset_data + info.size > length:
                raise ReadError(f"{path} was cut short within {info.name}. Copy or download it again.")
            yield info.name, Member(info.offset_data, info.size, info.size)
        _check_end(path, tar.offset)


def _check_end(path: Path, end: int) -> None:
    """Nothing, or an error: where a header is damaged or missing, `tarfile` stops as if all were well."""
    with path.open("rb") as file:
        file.seek(end)
        block = file.read(BLOCK)  # of zeros, by which a tar ends
        if any(block) or len(block) < BLOCK:
            what = "is damaged" if len(block) == BLOCK else "was cut short: its end is missing"
            raise ReadError(f"{path} {what}, at byte {end}. Copy or download it again.")
        while chunk := file.read(1 << 20):
            if any(chunk):
                raise ReadError(
                    f"{path} goes on after its end, at byte {end}: several archives, one behind the other? Put them "
                    "side by side as files of their own, or join them with `tar --concatenate`."
                )


def _zipped(path: Path) -> Iterator[tuple[str, Member]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            problem = None
            if stat.S_ISLNK(info.external_attr >> 16):
                problem = "is a link, no plain file. Pack it anew with the files themselves"
            elif info.flag_bits & 1:
                problem = "is encrypted. Pack it anew without a password"
            elif info.compress_type not in _DEFLATED:
                problem = "is compressed in a way we do not read. Pack it anew, stored or deflated"
            if problem:
                raise ReadError(f"{path} holds {info.filename!r}, which {problem}.")
            deflated = _DEFLATED[info.compress_type]
            yield info.filename, Member(info.header_offset, info.compress_size, info.file_size, deflated, info.CRC)


def _sound(path: Path, name: str) -> str:
    """The name of a member without what says nothing, such as a leading `./`."""
    steps = [step for step in name.split("/") if step not in ("", ".")]
    if (
        name.startswith("/")
        or ".." in steps
        or "\\" in name
        or "\0" in name
        or not steps
        or _DRIVE.match(name)
        or len(steps) > DEEPEST
    ):
        raise ReadError(
            f"{path} holds the name {name!r}, which leads out of the archive or is none on every system. Pack it anew "
            "from within the folder, with plain relative names."
        )
    return "/".join(steps)
