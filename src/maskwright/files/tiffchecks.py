"""What is checked of a TIFF before its pixels are decoded: that its pages end, that its packed data can hold what its
tags promise, and that a strip or tile which is itself a picture is no larger than its place.
"""

import math
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from maskwright.errors import ReadError
from maskwright.files.limits import DEFLATE, LZW, PACKBITS, RAW, ZSTD, check_promise
from maskwright.files.sizes import size_of

if TYPE_CHECKING:
    from tifffile import TiffPage

PICTURES: Final = {
    6,
    7,
    33007,
    34892,
    33003,
    33004,
    33005,
    34712,
    34933,
    50001,
    34927,
    50002,
    52546,
    22610,
    34934,
    34887,
}
"""Compressions whose strips say their own size: JPEG, JPEG 2000, PNG, WebP, JPEG XL, JPEG XR, LERC."""

_TIMES: Final = {1: RAW, 5: LZW, 8: DEFLATE, 32946: DEFLATE, 50013: DEFLATE, 32773: PACKBITS, 50000: ZSTD, 34926: ZSTD}
_PLACE: Final = 2**20  # pixels that a strip may have beyond its place: programs fill up the last one
_MOST_TAGS: Final = 4096  # as tifffile has it


def check_pages(file: BinaryIO) -> None:
    """Nothing, or an error: in a damaged file pages may follow each other in a ring, and tifffile goes round it.

    Raises:
        ReadError: a page comes twice, or the pages together are larger than the file.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    # The link to the first page, the number of tags, and the bytes of a tag.
    link, number, tag = ("Q", "Q", 20) if 0x2B in head[2:4] else ("I", "H", 12)
    start = 8 if tag == 20 else 4
    if len(head) < start + struct.calcsize(link):
        return
    (at,) = struct.unpack_from(f"{order}{link}", head, start)
    size, told, seen = file.seek(0, 2), 0, set()
    while 0 < at < size:
        if at in seen or told > size:
            raise ReadError(
                "is a damaged TIFF: its pages run in a ring, or lie over each other. Copy, download or export it again."
            )
        seen.add(at)
        file.seek(at)
        count = file.read(struct.calcsize(number))
        if len(count) < struct.calcsize(number):
            return
        (tags,) = struct.unpack(f"{order}{number}", count)
        if tags > _MOST_TAGS:
            return
        told += tag * tags + struct.calcsize(number)
        file.seek(tag * tags, 1)
        following = file.read(struct.calcsize(link))
        if len(following) < struct.calcsize(link):
            return
        (at,) = struct.unpack(f"{order}{link}", following)


def check_packed(page: "TiffPage", file: BinaryIO) -> None:
    """Nothing, or an error where the strips or tiles cannot hold what the tags promise.

    Raises:
        ReadError: says what is wrong with it.
    """
    if not page.is_tiled and page.rowsperstrip < 1:
        raise ReadError("is a damaged TIFF: its strips have no rows. Copy, download or export it again.")
    if page.planarconfig not in (1, 2):  # tifffile would read the first band, and leave the others as memory was
        raise ReadError("is a damaged TIFF: its bands lie in no order there is. Copy, download or export it again.")
    counts = [count for count in page.databytecounts[: math.prod(page.chunked)] if count]
    if page.compression in _TIMES and len(counts) == len(page.dataoffsets):  # none left out, as some maps do
        check_promise(math.prod(page.shape) * page.bitspersample // 8, sum(counts), _TIMES[page.compression])
    if page.compression in PICTURES:
        _check_pictures(page, file)


def working_bytes(page: "TiffPage", size: int) -> int:
    """Bytes that decoding takes at its peak; `size` is the file's."""
    assert page.dtype is not None, "checked before"
    item = page.dtype.itemsize
    samples = math.prod(page.shape) * item
    if page.is_contiguous:
        return samples
    # tifffile reads up to 256 MiB ahead.
    return samples + part_bytes(page) * max(1, page.maxworkers) + min(size, 2**28)


def part_bytes(page: "TiffPage") -> int:
    """Bytes that unpacking one strip or tile takes at its peak."""
    assert page.dtype is not None, "checked before"
    rows, columns, *more = page.chunks
    rows = rows if page.is_tiled else min(rows, page.imagelength)
    # It is there unpacked, and again without its predictor or in its own numbers; of a progressive JPEG the
    # coefficients.
    return rows * columns * math.prod(more) * page.dtype.itemsize * (4 if page.compression in PICTURES else 2)


def _check_pictures(page: "TiffPage", file: BinaryIO) -> None:
    rows, columns = page.chunks[:2]
    place = (rows if page.is_tiled else min(rows, page.imagelength)) * columns
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if not count or page.jpegheader is not None:
            continue
        file.seek(offset)
        size = size_of(head := file.read(min(count, 1024)))
        if size is None and count > len(head):
            size = size_of(head + file.read(count - len(head)))
        if size is None:
            raise ReadError("is a damaged TIFF: a strip has no size of its own. Copy, download or export it again.")
        if size[0] * size[1] > 2 * place + _PLACE:
            raise ReadError(
                f"is a damaged TIFF: a strip of {columns}×{rows} pixels holds a picture of {size[1]}×{size[0]}. "
                "Copy, download or export it again."
            )
