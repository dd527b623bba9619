"""TIFF as microscopes, scanners and maps write it: strips, tiles, every compression, any number of bands and pages."""

import math
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Final, cast

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.archives import identity
from maskwright.files.axes import Slices, Volume
from maskwright.files.encoding import FILLER
from maskwright.files.geotiff import nodata_of, place_of
from maskwright.files.limits import bands
from maskwright.files.orientation import TAG, sound
from maskwright.files.readers import readers
from maskwright.files.stored import Array, Region, Stored
from maskwright.files.tiffchecks import check_packed, check_pages, working_bytes
from maskwright.files.tiffplanes import Stack, named, pages_of, stated
from maskwright.files.tiffwindows import window_of

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
_KINDS: Final = {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR}
_ALPHA: Final = {1, 2}  # an extra sample is associated or unassociated alpha; 0 is just another band
_JPEG: Final = {6, 7}
MOST_NUMBERS: Final = 2**30
"""Planes that have to be read all at once, because rows of a picture are spread over them, hold no more."""

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

    suffixes: ClassVar[tuple[str, ...]] = (".tif", ".tiff", ".ome.tif", ".ome.tiff")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is TIFF or BigTIFF, of either byte order."""
        return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only full picture of the file; thumbnails, overviews and transparency masks do not count."""
        tiff = _tiff(file)
        stack = _stack(tiff, file)
        if stack.whole:
            return _volume(tiff, stack, file).open()
        if stack.count > 1:
            raise ReadError(_refused(stack.count, tiff.pages.first))
        return _picture(tiff, stack, 0, file)

    @staticmethod
    def pages(file: BinaryIO, axes: str | None = None) -> int:
        """How many full pictures there are."""
        tiff, stack = _arranged(file, axes)
        return _volume(tiff, stack, file).pages() if stack.whole else stack.count

    @staticmethod
    def open_page(file: BinaryIO, page: int | None, axes: str | None = None) -> Stored:
        """One of the full pictures."""
        tiff, stack = _arranged(file, axes)
        if stack.whole:
            return _volume(tiff, stack, file).open(page)
        if page is None and stack.count > 1:
            raise ReadError(_refused(stack.count, tiff.pages.first))
        if not 0 <= (page or 0) < stack.count:
            raise ReadError(f"is not there: the file has {stack.count} pages, the first being 0.")
        return _picture(tiff, stack, page or 0, file)


def _arranged(file: BinaryIO, axes: str | None) -> tuple["TiffFile", Stack]:
    """The planes of the file as it arranges them, or as the user's axes do."""
    stack = _known_stack(file)
    tiff = _tiff(file)
    if axes is None:
        return tiff, stack
    page = _page_at(tiff, stack.places[0])
    size = f"{page.imagelength}×{page.imagewidth}" + (f"×{page.samplesperpixel}" if page.samplesperpixel > 1 else "")
    return tiff, stated(stack, axes, page.samplesperpixel, size)


def _picture(tiff: "TiffFile", stack: Stack, number: int, file: BinaryIO) -> Stored:
    """One picture of the stack: a plane, or several that are its channels."""
    planes = [_plane(tiff, stack, plane, file) for plane in stack.pictures[number]]
    first = replace(planes[0], axes=stack.letters + planes[0].axes.removeprefix("C"), reason=stack.reason)
    return first if len(planes) == 1 else _together(first, planes)


def _plane(tiff: "TiffFile", stack: Stack, plane: int, file: BinaryIO) -> Stored:
    place, behind = divmod(plane, stack.behind)
    return _stored(_page_at(tiff, stack.places[place]), file, behind, stack.behind)


def _together(first: Stored, planes: list[Stored]) -> Stored:
    """The planes as channels of one picture."""
    kinds = {
        (plane.height, plane.width, plane.dtype, plane.orientation, plane.bits, plane.inverted) for plane in planes
    }
    if len(kinds) > 1 or any(plane.palette is not None for plane in planes):
        raise ReadError(
            f"has {len(planes)} planes for the channels of one picture, but they differ in size or type, or are "
            "indices of colours. Save them as one picture of several bands, or as a file each."
        )

    def region(rows: slice, columns: slice) -> Array:
        return np.concatenate([cast(Region, plane.region)(rows, columns) for plane in planes], axis=2)

    return replace(
        first, channels=sum(plane.channels for plane in planes), alpha=None, region=region,
        decode=lambda: np.concatenate([plane.decode() for plane in planes], axis=2),
        working=max(plane.decoding_bytes for plane in planes) + 2 * sum(plane.samples_bytes for plane in planes),
    )  # fmt: skip


def _volume(tiff: "TiffFile", stack: Stack, file: BinaryIO) -> Volume:
    """All planes as one array, for axes that do not keep to planes of rows and columns. Decoded whole."""
    planes = [_plane(tiff, stack, plane, file) for picture in stack.pictures for plane in picture]
    first = _together(planes[0], planes)
    shape = (len(planes), first.height, first.width, planes[0].channels)
    if math.prod(shape[:3]) > MOST_NUMBERS:
        raise ReadError(
            f"has {len(planes)} planes, too many to be read at once. Save it as planes of height and width."
        )
    outer = stack.shape if len(stack.whole) > 3 else (len(planes),)
    whole = (*(outer if len(planes) > 1 else ()), *shape[1:3], *(shape[3:] if shape[3] > 1 else ()))
    if len(whole) != len(stack.whole):
        size = "×".join(map(str, whole))
        raise ReadError(f"is an array of {size}; `axes: {stack.whole}` does not fit it. State one letter for each.")

    def take(part: Slices) -> Array:
        values = np.stack([plane.decode() for plane in planes])
        return values.reshape(whole)[part]

    return Volume(whole, np.dtype(planes[0].dtype), take, stack.whole, stack.reason)


def _stored(page: "TiffPage", file: BinaryIO, place: int = 0, behind: int = 1) -> Stored:
    """The picture of a page; or the one at a place, from 0, of those behind the page's description."""
    _check_tags(page, file)
    _check_kind(page)
    _check_whole(page, file.seek(0, 2), behind)
    check_packed(page, file)
    keep = _bands(page)
    assert page.dtype is not None, "checked above"
    colours_of_print = page.photometric == CMYK

    def region(rows: slice, columns: slice) -> Array:
        return _shown(page, keep, window_of(page, file, rows, columns, place))

    alpha = _alpha(page)
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
        axes="HW" if len(keep) == 1 else "HWC",
        region=region, nodata=nodata_of(page), georeference=lambda: place_of(page),
        alpha=None if alpha is None else lambda: window_of(
            page, file, slice(0, page.imagelength), slice(0, page.imagewidth), place
        )[:, :, alpha],
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


def _known_stack(file: BinaryIO) -> Stack:
    """The stack in a file, looked through once for all its pages."""
    if (key := identity(file)) is None:
        return _stack(_tiff(file), file)
    if (stack := _seen.get(key)) is None:
        if len(_seen) >= 64:
            _seen.clear()
        stack = _seen[key] = _stack(_tiff(file), file)
    return stack


# Reading a stack page by page would otherwise go through all its pages each time.
_seen: Final[dict[tuple[object, ...], Stack]] = {}


def _stack(tiff: "TiffFile", file: BinaryIO) -> Stack:
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
        return named(pages_of((page.offset,), behind), tiff)
    stack = pages_of(tuple(page.offset for page in full))
    # Texts count all pages, so they are of use only where all are full pictures.
    return named(stack, tiff) if len(full) == len(pages) else stack


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


def _alpha(page: "TiffPage") -> int | None:
    """The band that is alpha."""
    first_extra = page.samplesperpixel - len(page.extrasamples)
    return next((first_extra + place for place, kind in enumerate(page.extrasamples) if int(kind) in _ALPHA), None)


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
    return _shown(page, keep, values.reshape(page.imagelength, page.imagewidth, -1))


def _shown(page: "TiffPage", keep: list[int], values: Array) -> Array:
    """The samples (h, w, S) of any part of a page without what is no band, inks as colours."""
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
