"""TIFF as microscopes, scanners and maps write it: strips, tiles, every compression, any number of bands and pages."""

import io
import math
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final, cast

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.encoding import FILLER
from maskwright.files.limits import bands
from maskwright.files.orientation import TAG, sound
from maskwright.files.readers import readers
from maskwright.files.stored import Array, Stored
from maskwright.files.tiffchecks import check_packed, check_pages, working_bytes

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
_KINDS: Final = {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR}
_ALPHA: Final = {1, 2}  # an extra sample is associated or unassociated alpha; 0 is just another band
_JPEG: Final = {6, 7}
# Tags without which pixels would be read wrongly: sizes, depths, kinds, places.
_NEEDED: Final = {
    *range(254, 260),
    262,
    266,
    273,
    274,
    *range(277, 280),
    284,
    317,
    320,
    *range(322, 326),
    338,
    339,
}


@readers.register("tiff")
class Tiff:
    """One picture in a TIFF or BigTIFF, or one page of a stack of them."""

    suffixes: ClassVar[tuple[str, ...]] = (".tif", ".tiff")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is TIFF or BigTIFF, of either byte order."""
        return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only full picture of the file; thumbnails, overviews and transparency masks do not count."""
        tiff = _tiff(file)
        if (stack := _stack(tiff, file)).count > 1:
            raise ReadError(_refused(stack.count, tiff.pages.first))
        return _stored(_page_at(tiff, stack.places[0]), file)

    @staticmethod
    def pages(file: BinaryIO) -> int:
        """How many full pictures there are."""
        return _known_stack(file).count

    @staticmethod
    def open_page(file: BinaryIO, page: int) -> Stored:
        """One of the full pictures."""
        stack = _known_stack(file)
        if not 0 <= page < stack.count:
            raise ReadError(f"is not there: the file has {stack.count} pages, the first being 0.")
        tiff = _tiff(file)
        if stack.behind == 1:
            return _stored(_page_at(tiff, stack.places[page]), file)
        return _stored(_page_at(tiff, stack.places[0]), file, page, stack.behind)


@dataclass(frozen=True)
class _Stack:
    """Where the full pictures of a file are described."""

    places: tuple[int, ...]
    behind: int = 1  # pictures that lie behind the only description, one after the other

    @property
    def count(self) -> int:
        return len(self.places) * self.behind


def _stored(page: "TiffPage", file: BinaryIO, place: int = 0, behind: int = 1) -> Stored:
    """The picture of a page; or the one at a place, from 0, of those behind the page's description."""
    _check_tags(page, file)
    _check_kind(page)
    _check_whole(page, file.seek(0, 2), behind)
    check_packed(page, file)
    keep = _bands(page)
    assert page.dtype is not None, "checked above"
    colours_of_print = page.photometric == CMYK
    working = working_bytes(page, file.seek(0, 2))
    kept = page.imagelength * page.imagewidth * page.dtype.itemsize * (3 if colours_of_print else len(keep))
    if page.axes == "SYX" or colours_of_print or len(keep) < page.samplesperpixel:  # copied by _decode
        working = max(working, math.prod(page.shape) * page.dtype.itemsize + kept)
    return Stored(
        page.imagelength, page.imagewidth, 3 if colours_of_print else len(keep), page.dtype.name,
        lambda: _decode(page, keep, page.asarray() if behind == 1 else _raw(page, file, place)),
        sound(page.tags.valueof(TAG, 1)), _palette(page), page.bitspersample,
        # Zero is white only where white is a number: floats and signed numbers have no largest one to
        # count from.
        inverted=page.photometric == WHITE_IS_ZERO and page.dtype.kind in "bu", working=working,
    )  # fmt: skip


def _tiff(file: BinaryIO) -> "TiffFile":
    import logging

    from tifffile import TiffFile

    check_pages(file)
    # What tifffile logs about a file is either harmless or an error of ours a moment later; without a handler
    # of the user's own it would land on the screen.
    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    file.seek(0)  # places count from where the file stands now
    return TiffFile(file)


def _known_stack(file: BinaryIO) -> _Stack:
    """The stack in a file, looked through once for all its pages."""
    try:
        about = os.fstat(file.fileno())
    except (OSError, io.UnsupportedOperation):  # no file of the disk
        return _stack(_tiff(file), file)
    key = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
    if (stack := _seen.get(key)) is None:
        if len(_seen) >= 64:
            _seen.clear()
        stack = _seen[key] = _stack(_tiff(file), file)
    return stack


# Reading a stack page by page would otherwise go through all its pages each time.
_seen: Final[dict[tuple[int, ...], _Stack]] = {}


def _stack(tiff: "TiffFile", file: BinaryIO) -> _Stack:
    # Frames, the other kind of page, come only if asked for.
    pages = [cast("TiffPage", page) for page in tiff.pages]
    full = [page for page in pages if not page.subfiletype & 5]  # 1: a smaller copy, 4: a transparency mask
    if not full:
        raise ReadError("is a TIFF without a picture. It is damaged or was cut short: copy or export it again.")
    file.seek(tiff.pages.next_page_offset or 0)
    if any(file.read(tiff.tiff.offsetsize)):
        raise ReadError("is a TIFF that was cut short: a further page is missing. Copy, download or export it again.")
    page = full[0]
    # Some programs write many pages behind the description of one.
    if len(full) == 1 and (page.is_imagej or page.is_shaped or page.is_stk):
        behind = max(1, math.prod(tiff.series[0].shape) // max(1, math.prod(page.shape)))
        if behind > 1 and behind * max(1, page.nbytes if page.is_contiguous else 1) > file.seek(0, 2):
            raise ReadError("is a TIFF that was cut short: pixels are missing. Copy, download or export it again.")
        return _Stack((page.offset,), behind)
    return _Stack(tuple(page.offset for page in full))


def _page_at(tiff: "TiffFile", place: int) -> "TiffPage":
    from tifffile import TiffPage

    tiff.filehandle.seek(place)
    return TiffPage(tiff, index=0)


def _refused(count: int, page: "TiffPage") -> str:
    return (
        f"is a stack of {count} pages of {page.imagewidth}×{page.imagelength} pixels, but a file should hold "
        "one picture. Split it into one file a page, for example with "
        "`for n, page in enumerate(tifffile.imread(stack)): tifffile.imwrite(f'{n:04}.tif', page)`."
    )


def _check_tags(page: "TiffPage", file: BinaryIO) -> None:
    """Nothing, or an error: a tag that tifffile cannot read counts as missing, and the depth would become 1
    bit.
    """
    tiff = page.parent.tiff
    file.seek(page.offset)
    (count,) = struct.unpack(tiff.tagnoformat, file.read(tiff.tagnosize))
    entries = file.read(count * tiff.tagsize)
    codes = {code for (code,) in struct.iter_unpack(f"{tiff.byteorder}H{tiff.tagsize - 2}x", entries)}
    if lost := sorted(codes & _NEEDED - set(page.tags.keys())):
        raise ReadError(f"is a damaged TIFF: tag {lost[0]} cannot be read. Copy, download or export it again.")


def _check_kind(page: "TiffPage") -> None:
    if page.axes not in ("YX", "YXS", "SYX"):
        raise ReadError(
            f"has the axes {page.axes}; a picture of rows and columns was expected. Save it plane by plane."
        )
    if page.dtype is None or page.dtype.kind not in "buif":
        raise ReadError("does not hold plain numbers. Save it as uint8, uint16 or float32.")
    kind = int(page.photometric)
    readable = kind in _KINDS and (kind != YCBCR or page.compression in _JPEG)
    if (kind == CMYK and page.dtype != np.uint8) or (kind == PALETTE and page.bitspersample > 8):
        readable = False
    if not readable:
        name = getattr(page.photometric, "name", page.photometric)
        raise ReadError(f"stores its colours in the way {name} ({page.dtype.name}). Export it as RGB or grey.")


def _check_whole(page: "TiffPage", size: int, behind: int) -> None:
    """Nothing, or an error: tifffile leaves what is missing at the end as it finds the memory."""
    if behind > 1:
        if not page.is_contiguous:
            raise ReadError(f"packs {behind} pages into one description. Save it as a plain TIFF of as many pages.")
        size -= (behind - 1) * page.nbytes
    ends = (offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False))
    parts = math.prod(page.chunked)
    if max(ends, default=size + 1) > size or (len(page.dataoffsets) < parts and not page.is_contiguous):
        raise ReadError("is a TIFF that was cut short: pixels are missing. Copy, download or export it again.")


def _bands(page: "TiffPage") -> list[int]:
    """The bands that are no alpha."""
    count = page.samplesperpixel
    first_extra = count - len(page.extrasamples)
    alpha = {first_extra + place for place, kind in enumerate(page.extrasamples) if int(kind) in _ALPHA}
    keep = [band for band in range(count) if band not in alpha]
    return keep[: {PALETTE: 1, CMYK: 4}.get(int(page.photometric), count)]


def _raw(page: "TiffPage", file: BinaryIO, place: int) -> Array:
    """The samples at a place behind the page's description, where they lie uncompressed."""
    file.seek(page.dataoffsets[0] + place * page.nbytes)
    assert page.dtype is not None, "checked by the caller"
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    values = np.frombuffer(file.read(page.nbytes), dtype).reshape(page.shape)
    return values.astype(page.dtype)


def _decode(page: "TiffPage", keep: list[int], values: Array) -> Array:
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    values = values.reshape(page.imagelength, page.imagewidth, -1)
    if len(keep) < values.shape[2]:
        values = values[:, :, keep]
    if page.photometric == CMYK:
        # What Pillow does for JPEG: each ink takes its part of what black leaves.
        colours = np.empty((*values.shape[:2], 3), np.uint8)
        for band in bands(values):
            left = 255 - values[band].astype(np.uint16)
            colours[band] = (left[:, :, :3] * left[:, :, 3:] + 127) // 255
        values = colours
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


def _palette(page: "TiffPage") -> Array | None:
    if page.photometric != PALETTE or page.colormap is None:
        return None
    colours = np.asarray(page.colormap).T  # (entries, 3) of 16 bits
    filler = (colours == FILLER).all(axis=1)
    while len(colours) > 1 and filler[len(colours) - 1]:
        colours = colours[:-1]
    # Some programs store 8 bits in the place of 16.
    return (colours if colours.max() < 256 else colours >> 8).astype(np.uint8)
