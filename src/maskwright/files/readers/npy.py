"""NumPy arrays: `.npy`, and `.npz` of one array. Of several, a path names one as if the file were a folder:
`case_07.npz/image`.
"""

from typing import BinaryIO, ClassVar, Final, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.archives import identity
from maskwright.files.axes import Volume
from maskwright.files.limits import DEFLATE, check_promise
from maskwright.files.rawarrays import RawArray
from maskwright.files.readers import readers
from maskwright.files.stored import Stored

MAGIC = b"\x93NUMPY"
MOST_UNPACKED: Final = 2**30
"""Bytes of an array in an archive."""


@readers.register("npy")
class Npy:
    """One array of numbers, any order of axes; what they are is stated or inferred."""

    suffixes: ClassVar[tuple[str, ...]] = (".npy",)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is an array that NumPy saved."""
        return head.startswith(MAGIC)

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only picture of the array."""
        return _volume(file).open()

    @staticmethod
    def pages(file: BinaryIO, axes: str | None = None) -> int:
        """How many pictures the array holds."""
        return _volume(file).pages(axes)

    @staticmethod
    def open_page(file: BinaryIO, page: int | None, axes: str | None = None) -> Stored:
        """One of them."""
        return _volume(file).open(page, axes)


@readers.register("npz")
class Npz:
    """The only array in an archive of arrays, compressed or not."""

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is a ZIP archive whose first file is an array."""
        length = int.from_bytes(head[26:28], "little")
        return head.startswith(b"PK\x03\x04") and length > 0 and head[30 : 30 + length].endswith(b".npy")

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only picture of the only array."""
        return _volume(_only(file)).open()

    @staticmethod
    def pages(file: BinaryIO, axes: str | None = None) -> int:
        """How many pictures the only array holds."""
        return _volume(_only(file)).pages(axes)

    @staticmethod
    def open_page(file: BinaryIO, page: int | None, axes: str | None = None) -> Stored:
        """One of them."""
        return _volume(_only(file)).open(page, axes)

    @staticmethod
    def member(file: BinaryIO, name: str) -> BinaryIO:
        """The array of that name, as a file of its own."""
        return _member(ZipFile(file), name)


def _only(file: BinaryIO) -> BinaryIO:
    archive = ZipFile(file)
    names = _names(archive)
    if len(names) != 1:
        raise ReadError(
            f"holds {len(names)} arrays ({', '.join(names)}), but one picture was expected. Name the one that is meant "
            f"as if the file were a folder: `.../{names[0] if names else 'NAME'}`."
        )
    return _member(archive, names[0])


def _names(archive: ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _member(archive: ZipFile, name: str) -> BinaryIO:
    names = _names(archive)
    if name not in names:
        raise ReadError(f"is not there: the file holds {', '.join(names) or 'no array'}.")
    about = archive.getinfo(f"{name}.npy")
    if about.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ReadError("is packed in a way that NumPy does not write. Save it again with numpy.savez_compressed.")
    if about.compress_type == ZIP_DEFLATED:
        check_promise(about.file_size, about.compress_size, DEFLATE)
    if about.file_size > MOST_UNPACKED:
        raise ReadError(
            f"holds an array of {about.file_size:,} bytes, and every part of it takes unpacking all before. Save it "
            "with numpy.save, as .npy."
        )
    return cast("BinaryIO", archive.open(about))


def _volume(file: BinaryIO) -> Volume:
    version = np.lib.format.read_magic(file)
    readings = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readings:
        raise ReadError("is a table with names of columns, not an array of numbers. Save the array alone.")
    shape, fortran, dtype = readings[version](file)
    if dtype.kind not in "buif":
        # Objects are never unpickled: that could run any code.
        raise ReadError(f"holds {dtype}, not plain numbers. Save it as uint8, uint16 or float32.")
    raw = RawArray(file, file.tell(), shape, dtype, fortran)
    if (size := _size(file)) is not None and raw.end > size:
        raise ReadError("was cut short: numbers are missing at its end. Copy, download or export it again.")
    return Volume(shape, dtype, raw.take)


def _size(file: BinaryIO) -> int | None:
    """The bytes of the file; None for what is unpacked on the way, where only reading tells."""
    return None if identity(file) is None else file.seek(0, 2)
