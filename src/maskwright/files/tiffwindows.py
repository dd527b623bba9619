"""A part of a page of a TIFF, of the strips or tiles that it lies in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from maskwright.files.limits import check_memory
from maskwright.files.rawarrays import RawArray
from maskwright.files.stored import Array
from maskwright.files.tiffchecks import part_bytes

if TYPE_CHECKING:
    from tifffile import TiffPage

_JPEG = {6, 7, 34892, 33007}


def window_of(page: "TiffPage", file: BinaryIO, rows: slice, columns: slice, place: int = 0) -> Array:
    """The samples (h, w, S) of a page, or of the plane at a place behind its description, in these rows and columns."""
    assert page.dtype is not None, "checked before"
    separate, _, _, _, contig = page.shaped
    if page.is_contiguous and page.fillorder == 1 and page.predictor == 1:
        shape = (separate, page.imagelength, page.imagewidth, contig)
        start = page.dataoffsets[0] + place * page.nbytes
        raw = RawArray(file, start, shape, page.dtype.newbyteorder(page.parent.byteorder))
        values = raw.take((slice(0, separate), rows, columns, slice(0, contig))).astype(page.dtype)
    else:
        values = _decoded(page, file, rows, columns)
    return values[0] if separate == 1 else np.moveaxis(values[..., 0], 0, -1)


def _decoded(page: "TiffPage", file: BinaryIO, rows: slice, columns: slice) -> Array:
    separate, _, _, _, contig = page.shaped
    assert page.dtype is not None, "checked before"
    height, width = page.chunks[:2]
    needed = (rows.stop - rows.start) * (columns.stop - columns.start) * separate * contig * page.dtype.itemsize
    check_memory(2 * needed + part_bytes(page), f"strips or tiles of {width}×{height} pixels")
    out = np.full((separate, rows.stop - rows.start, columns.stop - columns.start, contig), page.nodata, page.dtype)
    options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression in _JPEG else {}
    for index in _segments(page, rows, columns):
        file.seek(page.dataoffsets[index])
        data = file.read(page.databytecounts[index]) if page.databytecounts[index] else None
        segment, (band, _, top, left, _), _ = page.decode(data, index, _fullsize=False, **options)
        if segment is None:
            continue  # a part that is not written holds the page's value for no data
        there = segment[0, : page.imagelength - top, : page.imagewidth - left]
        down, right = slice(top, top + there.shape[0]), slice(left, left + there.shape[1])
        from_rows, to_rows = _overlap(down, rows)
        from_columns, to_columns = _overlap(right, columns)
        out[band, to_rows, to_columns] = there[from_rows, from_columns]
    return out


def _segments(page: "TiffPage", rows: slice, columns: slice) -> Iterator[int]:
    """The numbers of the strips or tiles that touch the window, band by band."""
    height, width = page.chunks[:2]
    down, right = -(-page.imagelength // height), -(-page.imagewidth // width)
    for band in range(page.shaped[0]):
        for row in range(rows.start // height, (rows.stop - 1) // height + 1):
            for column in range(columns.start // width, (columns.stop - 1) // width + 1):
                yield (band * down + row) * right + column


def _overlap(there: slice, wanted: slice) -> tuple[slice, slice]:
    """What both have in common, counted from the start of each."""
    first, last = max(there.start, wanted.start), max(there.start, wanted.start, min(there.stop, wanted.stop))
    return slice(first - there.start, last - there.start), slice(first - wanted.start, last - wanted.start)
