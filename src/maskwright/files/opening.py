"""From a path to an opened picture, whatever its name says; and every way this can fail, told so that it can
be mended.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from maskwright.errors import ReadError
from maskwright.files import limits
from maskwright.files.archives import Inside, inside, open_quickly
from maskwright.files.axes import checked
from maskwright.files.limits import check_memory
from maskwright.files.readers import Reader, archived, of_folders, paged, readers
from maskwright.files.stored import Stored

MAX_PIXELS: Final = 1_000_000_000
"""No more pixels than this are decoded at once: a square of 31,622 pixels."""

HEAD: Final = 256
"""Bytes a reader sees when it is asked whether the file is one of its own."""

# Files that are often met where an image should be, and what to do about them.
_STRANGERS: Final = (
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself; run `git lfs pull`"),
    (b"%PDF", "a PDF; export its page as PNG"),
    (b"\x89HDF", "an HDF5 file; export the array as TIFF"),
    (b"<VRTDataset", "a list of other files (GDAL's VRT); make one picture of it with `gdal_translate`"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
)


@contextmanager
def opened(path: str | Path, page: int | None = None, axes: str | None = None) -> Iterator[Stored]:
    """The picture in a file, for the length of a block; the kind of file is told by its first bytes.

    page: which one of a stack, from 0; None: the only one.
    axes: what each axis of the file is, see `files.axes`; None: as the file says, or as can be inferred.

    Whatever goes wrong in the block, in reading or in judging what was read, comes out as a `ReadError` that
    names the file. A `ReadError` raised inside gives only the predicate: "holds 3 channels. …".
    """
    axes = None if axes is None else checked(axes)
    with _file(path, page) as file:
        reader = _reader_for(file)
        stacks = paged(reader)
        if stacks is not None and (page is not None or axes is not None):
            yield stacks.open_page(file, page, axes)
        elif page in (None, 0):
            yield _of_these_axes(reader.open(file), axes)
        else:
            raise ReadError("is not there: the file holds one picture, page 0.")


def _of_these_axes(stored: Stored, axes: str | None) -> Stored:
    if axes in (None, "HWC") or (axes == "HW" and stored.channels == 1):
        return stored
    raise ReadError(
        f"holds one picture of {stored.channels} channels, and its format says which axis is which; `axes: {axes}` "
        "cannot be true of it. State HWC, or nothing."
    )


def pages_in(path: str | Path, axes: str | None = None) -> int:
    """How many pictures a file holds that `read_image(path, page, axes)` can tell apart: the pages of a TIFF, the
    slices of a volume; else 1.

    Raises:
        ReadError: the file is missing, damaged or of another kind.
    """
    axes = None if axes is None else checked(axes)
    with _file(path) as file:
        stacks = paged(_reader_for(file))
        return 1 if stacks is None else stacks.pages(file, axes)


class _Folder(io.BytesIO):
    """A folder that is one picture, as what readers take: an empty stream of its name."""

    def __init__(self, path: Path, reader: type[Reader]):
        super().__init__()
        self.name, self.reader = str(path), reader


def is_picture_folder(path: str | Path) -> bool:
    """Whether a folder is one picture, as OME-Zarr is."""
    return _folder_reader(Path(path)) is not None


def _folder_reader(path: Path) -> type[Reader] | None:
    found = ((reader, of_folders(reader)) for _, reader in readers.items())
    return next((reader for reader, folders in found if folders and folders.recognises_folder(path)), None)


def _at_once(path: Path) -> BinaryIO | None:
    """A file of the disk; None if there is more to find out, which `_stream` does at a price."""
    try:
        return open_quickly(path)
    except OSError:
        return None


@contextmanager
def _stream(path: Path, packed: Inside | None) -> Iterator[BinaryIO]:
    """What readers take: a file, of the disk or of an archive, a folder that counts as one, or one of several arrays in
    a file.
    """
    if packed is not None:
        with packed.open() as file:
            yield file
        return
    # Tried, not asked first: asking costs as much as opening a small file.
    try:
        file = open_quickly(path)
    except (IsADirectoryError, PermissionError):  # Windows calls a folder a lack of permission
        if not path.is_dir() or (reader := _folder_reader(path)) is None:
            raise
        yield _Folder(path, reader)
        return
    except (NotADirectoryError, FileNotFoundError):
        if not path.parent.is_file():
            raise FileNotFoundError from None
        with path.parent.open("rb") as file:
            if (arrays := archived(_reader_for(file))) is None:
                raise FileNotFoundError from None
            yield arrays.member(file, path.name)
        return
    with file:
        yield file


@contextmanager
def _file(path: str | Path, page: int | None = None) -> Iterator[BinaryIO]:
    """The file, open for the length of a block; what goes wrong there is a `ReadError` that names it."""
    path = path if isinstance(path, Path) else Path(path)
    packed = inside(path)  # what is wrong with an archive is told as such
    with reading(path, page):
        at_once = _at_once(path) if packed is None else None
        with _stream(path, packed) if at_once is None else at_once as file:
            yield file


@contextmanager
def reading(path: Path, page: int | None = None) -> Iterator[None]:
    """A block in which a file is read: what goes wrong there is a `ReadError` that names it."""
    name = path if page is None else f"{path}, page {page},"
    try:
        yield
    except ReadError as error:
        raise ReadError(f"{name} {error}") from error.__cause__
    except FileNotFoundError:
        raise ReadError(f"{path} does not exist; an image file was expected there. Check the path.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ReadError(_closed_door(path)) from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they stumble over in damaged bytes: struct.error, KeyError …
        raise ReadError(
            f"{name} cannot be read as the image it should be ({type(error).__name__}: {error}). "
            "It is damaged or was cut short: copy, download or export it again."
        ) from error


def check_size(stored: Stored, needed: int | None = None) -> None:
    """Nothing, or an error for a picture too large to decode at once.

    needed: bytes that will be taken; None: those of an image.

    Raises:
        ReadError: there are more than `MAX_PIXELS` pixels, or none; or they take more than `limits.MAX_BYTES`.
    """
    if min(stored.height, stored.width, stored.channels) < 1:
        raise ReadError(f"says that it holds {_size(stored)}. It is damaged: copy or export it again.")
    if stored.height * stored.width > MAX_PIXELS:
        raise ReadError(
            f"says that it holds {_size(stored)}; at most {MAX_PIXELS:,} are read at once. "
            "Cut it into smaller files, or export it again if this size cannot be true."
        )
    needed = stored.image_bytes() if needed is None else needed
    what = ""  # of nearly every picture nothing has to be said
    if needed > limits.MAX_BYTES:
        channels = f" in {stored.channels} channels" if stored.channels > 1 else ""
        what = f"{_size(stored)}{channels} of {stored.dtype}"
    check_memory(needed, what)


def _size(stored: Stored) -> str:
    return f"{stored.width}×{stored.height} pixels"


def _reader_for(file: BinaryIO) -> type[Reader]:
    if isinstance(file, _Folder):
        return file.reader
    head = file.read(HEAD)
    file.seek(0)
    for name in readers:
        if readers[name].recognises(head):
            return readers[name]
    raise ReadError(_unknown(head))


def _unknown(head: bytes) -> str:
    if not head:
        return "is empty (0 bytes); an image file was expected. Copy, download or export it again."
    for start, what in _STRANGERS:
        if head.startswith(start):
            return f"is {what}."
    known = ", ".join(sorted({suffix for _, reader in readers.items() for suffix in reader.suffixes}))
    if not any(byte < 9 for byte in head):  # control characters do not occur in text
        return f"holds text, not an image (known kinds: {known}). Check whether the right file has this name."
    return (
        f"is no image of a kind we know ({known}): it starts with {head[:8]!r}. "
        "Export it as PNG or TIFF; both keep every value."
    )


def _closed_door(path: Path) -> str:
    if path.is_dir():  # Windows calls this, too, a lack of permission
        return f"{path} is a folder; one image file was expected. `maskwright.files.files_in` lists them."
    return f"{path} may not be read by this user; an image file was expected. Change its permissions."
