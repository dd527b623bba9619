"""What is checked of the chunks of a Zarr before any is unpacked: how many are touched, and that none unfolds to more
than its place. The package itself makes room for whatever a chunk says.
"""

import bz2
import itertools
import lzma
import math
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from maskwright.errors import ReadError
from maskwright.files.axes import Slices
from maskwright.files.limits import DEFLATE, check_memory

MOST_CHUNKS: Final = 2**14
"""Chunks that one read may touch: the package needs up to 0.1 ms for each, there or not."""
_HARMLESS: Final = 2**26  # bytes that a chunk may unfold to whatever its place
_AT_ONCE: Final = 10  # chunks the package unpacks side by side
_STEP: Final = 2**20


def check_chunks(array: Any, part: Slices) -> None:
    """Nothing, or an error, for the chunks of a Zarr array that a part of it lies in.

    Raises:
        ReadError: they are too many, too large together, or one holds more than its place.
    """
    stored = array.shards or array.chunks  # what is a file
    spans = [range(span.start // side, -(-span.stop // side)) for span, side in zip(part, array.chunks, strict=True)]
    count = math.prod(map(len, spans))
    if count > MOST_CHUNKS:
        raise ReadError(
            f"is cut into so small chunks ({'×'.join(map(str, array.chunks))}) that {count:,} of them would be read; "
            f"at most {MOST_CHUNKS:,} are at once. Write it again in larger chunks, or read it by window."
        )
    place = math.prod(array.chunks) * array.dtype.itemsize
    taken = math.prod(span.stop - span.start for span in part) * array.dtype.itemsize
    # Each chunk is there packed, unpacked and, of another order or type, once more.
    check_memory(taken + 3 * place * min(count, _AT_ONCE), f"chunks of {place:,} bytes")
    if array.shards is not None:  # shards hold many chunks, whose packed sizes stand in an index at their ends
        return
    if (measure := _measure_of(array)) is None:
        return
    for path in _files(array, part, stored):
        if path.is_file() and measure(path, max(2 * place, _HARMLESS)):
            raise ReadError(
                f"has a chunk, {path.name}, that unpacks to more than the {place:,} bytes of its place. "
                "It is damaged: copy, download or export it again."
            )


def _files(array: Any, part: Slices, sides: tuple[int, ...]) -> Iterator[Path]:
    root = Path(array.store.root) / array.path
    spans = (range(span.start // side, -(-span.stop // side)) for span, side in zip(part, sides, strict=True))
    for place in itertools.product(*spans):
        yield root / array.metadata.encode_chunk_key(place)


def _measure_of(array: Any) -> Callable[[Path, int], bool] | None:
    """Whether the file of a chunk unpacks to more than so many bytes: how that is told of the array's compression."""
    for codec in reversed(array.compressors):  # the last of them was the last to pack
        name = f"{getattr(codec, 'codec_id', '')} {getattr(codec, 'codec_name', '')} {type(codec).__name__}".lower()
        for word, measure in _MEASURES.items():
            if word in name:
                return measure
    return None


def _deflated(path: Path, limit: int) -> bool:
    if path.stat().st_size * DEFLATE <= limit:
        return False
    unpacker = zlib.decompressobj(47)  # zlib or gzip
    return _streamed(path, limit, lambda data: unpacker.decompress(data, _STEP), lambda: unpacker.unconsumed_tail)


def _by_bz2(path: Path, limit: int) -> bool:
    unpacker = bz2.BZ2Decompressor()
    return _streamed(path, limit, lambda data: unpacker.decompress(data, _STEP), lambda: b"")


def _by_lzma(path: Path, limit: int) -> bool:
    unpacker = lzma.LZMADecompressor()
    return _streamed(path, limit, lambda data: unpacker.decompress(data, _STEP), lambda: b"")


def _streamed(path: Path, limit: int, unpack: Callable[[bytes], bytes], rest: Callable[[], bytes]) -> bool:
    """Unpacked bit by bit and dropped; damage is left for the reader to tell."""
    total, data = 0, path.read_bytes()
    try:
        while total <= limit and (part := unpack(data)):
            total, data = total + len(part), rest()
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return False
    return total > limit


def _told(at: int) -> Callable[[Path, int], bool]:
    """The packing says so itself, in four bytes, and keeps to it."""

    def measure(path: Path, limit: int) -> bool:
        with path.open("rb") as file:
            return int.from_bytes(file.read(at + 4)[at:], "little") > limit

    return measure


def _by_zstd(path: Path, limit: int) -> bool:
    """The size that a frame tells; where it tells none, all that its blocks could hold."""
    data = path.read_bytes()
    about = data[4] if len(data) > 4 else 0
    size = (0 if not about & 32 else 1, 2, 4, 8)[about >> 6]
    at = 5 + (0 if about & 32 else 1) + (0, 1, 2, 4)[about & 3]
    if size:
        return int.from_bytes(data[at : at + size], "little") > limit
    total = 0
    while at + 3 <= len(data) and total <= limit:
        head = int.from_bytes(data[at : at + 3], "little")
        kind, length = head >> 1 & 3, head >> 3
        total += 2**17 if kind == 2 else length
        at += 3 + (1 if kind == 1 else length)
        if head & 1:
            break
    return total > limit


_MEASURES: Final[dict[str, Callable[[Path, int], bool]]] = {
    "gzip": _deflated, "zlib": _deflated, "zstd": _by_zstd, "blosc": _told(4), "lz4": _told(0), "bz2": _by_bz2,
    "lzma": _by_lzma,
}  # fmt: skip
