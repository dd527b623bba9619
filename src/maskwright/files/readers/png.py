"""PNG of every depth: libpng by imagecodecs for 8 and 16 bits, Pillow for palettes and fewer bits.

Pillow cuts 16-bit colour to 8 bits and takes twice the time; imagecodecs loses the palette.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, ClassVar, Final, NamedTuple

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from maskwright.errors import ReadError
from maskwright.files.limits import DEFLATE, check_promise
from maskwright.files.orientation import orientation_in
from maskwright.files.readers import readers
from maskwright.files.readers.pillow import check_frames, samples_of
from maskwright.files.stored import Array, Stored

MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_CUT_SHORT: Final = "is a PNG that was cut short: its end is missing. Copy, download or export it again."
_HEAD: Final = struct.Struct(">I4s")  # of a chunk: length and kind
_PALETTE: Final = 3
_WITH_ALPHA: Final = {4, 6}
_CHANNELS: Final = {0: 1, 2: 3, 4: 1, 6: 3}  # by type of colour, without alpha
_STORED: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # and with it
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # of the data
    length: int


@readers.register("png")
class Png:
    """Grey, colour and palette PNG, of 1 to 16 bits."""

    suffixes: ClassVar[tuple[str, ...]] = (".png", ".apng")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is PNG."""
        return head.startswith(MAGIC)

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The picture in the file."""
        chunks = list(_chunks(file))
        _check_animation(file, chunks)
        orientation = _orientation(file, chunks)
        width, height, bits, colours = _header(file, chunks)
        packed = sum(chunk.length for chunk in chunks if chunk.kind == b"IDAT")
        line = (width * bits * _STORED[colours] + 7) // 8
        check_promise(line * height, packed, DEFLATE)
        if bits < 8 or colours == _PALETTE:
            palette = _palette(file, chunks) if colours == _PALETTE else None

            def decode_few() -> Array:
                return _decode_few(file, chunks, bits)

            return Stored(
                height, width, 1, "uint8", decode_few, orientation, palette, 8 if palette is not None else bits,
                working=packed + 2 * height * width, alpha=_alpha(file, chunks, colours, decode_few),
            )  # fmt: skip
        channels, dtype = _CHANNELS[colours], f"uint{bits}"
        cut = channels * bits // 8 * width * height if channels < _STORED[colours] else 0

        def decode() -> Array:
            return _decode(file, chunks, channels)

        return Stored(
            height, width, channels, dtype, decode, orientation, bits=bits, working=packed + line * height + cut,
            alpha=_alpha(file, chunks, colours, decode),
        )  # fmt: skip


def _alpha(
    file: BinaryIO, chunks: list[_Chunk], colours: int, decode: Callable[[], Array]
) -> Callable[[], Array] | None:
    """How to get the alpha: the last band, or that of each entry of the palette, or of one colour."""
    channels = _CHANNELS.get(colours, 1)
    if colours in _WITH_ALPHA:
        return lambda: _decode(file, chunks, channels + 1)[:, :, channels]
    found = next((chunk for chunk in chunks if chunk.kind == b"tRNS"), None)
    if found is None:
        return None
    data = _data(file, found)
    if (len(data) != 2 * channels and colours != _PALETTE) or len(data) > 256:
        return None  # damaged; what is seen of the picture does not hang on it
    if colours == _PALETTE:
        table = np.full(256, 255, np.uint8)  # entries that are not listed hide what is behind
        table[: len(data)] = np.frombuffer(data, np.uint8)
        return lambda: table[decode()[:, :, 0]]
    colour = struct.unpack(f">{channels}H", data)
    return lambda: np.where((decode() == colour).all(axis=2), 0, 255).astype(np.uint8)


def _header(file: BinaryIO, chunks: list[_Chunk]) -> tuple[int, int, int, int]:
    """Width, height, bits and type of colour."""
    if [chunk.kind for chunk in chunks].count(b"IHDR") != 1 or chunks[0].kind != b"IHDR" or chunks[0].length != 13:
        raise ReadError("is a damaged PNG: it does not begin with one header. Copy, download or export it again.")
    width, height, bits, colours = struct.unpack(">IIBB", _data(file, chunks[0])[:10])
    if bits not in _DEPTHS.get(colours, ()):
        raise ReadError(
            f"is a damaged PNG: there are no {bits} bits for type of colour {colours}. "
            "Copy, download or export it again."
        )
    return width, height, bits, colours


def _palette(file: BinaryIO, chunks: list[_Chunk]) -> Array:
    data = next((_data(file, chunk) for chunk in chunks if chunk.kind == b"PLTE"), b"")
    if not data or len(data) % 3 or len(data) > 768:
        raise ReadError("is a damaged PNG: its palette is missing or broken. Copy, download or export it again.")
    return np.frombuffer(data, np.uint8).reshape(-1, 3).copy()


def _pixels(file: BinaryIO, chunks: list[_Chunk]) -> bytes | bytearray:
    """The file, with only what the pixels need.

    libpng complains on stderr of colour profiles that it finds in half the world's files, and texts may unfold to
    any size.
    """
    needed = [chunk for chunk in chunks if chunk.kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND")]
    if isinstance(file, io.BytesIO) and len(needed) == len(chunks):
        return file.getvalue()  # nothing to leave out, nothing to copy; what stands behind the end is not read
    data = bytearray(len(MAGIC) + sum(12 + chunk.length for chunk in needed))
    data[: len(MAGIC)] = MAGIC
    place = memoryview(data)[len(MAGIC) :]
    for chunk in needed:
        file.seek(chunk.start - 8)
        # Every binary file has it; typing's BinaryIO forgets it.
        file.readinto(place[: 12 + chunk.length])  # type: ignore[attr-defined]  # stubs: BinaryIO
        place = place[12 + chunk.length :]
    return data


def _decode(file: BinaryIO, chunks: list[_Chunk], channels: int) -> Array:
    import imagecodecs

    values: Array = imagecodecs.png_decode(_pixels(file, chunks))
    values = values.reshape(*values.shape[:2], -1)
    return values if values.shape[2] == channels else np.ascontiguousarray(values[:, :, :channels])


def _decode_few(file: BinaryIO, chunks: list[_Chunk], bits: int) -> Array:
    """Palette indices, or grey of fewer than 8 bits."""
    return samples_of(PngImageFile(io.BytesIO(_pixels(file, chunks))), bits)


def _chunks(file: BinaryIO) -> Iterator[_Chunk]:
    """The chunks of the file, passing over their data."""
    if isinstance(file, io.BytesIO):
        yield from _chunks_in(file.getvalue())
        return
    start, size = len(MAGIC), file.seek(0, 2)
    kind = b""
    while kind != b"IEND":
        file.seek(start)
        head = file.read(8)
        kind, length = head[4:], int.from_bytes(head[:4], "big")
        start += 8
        if len(head) < 8 or start + length + 4 > size:
            raise ReadError(_CUT_SHORT)
        yield _Chunk(kind, start, length)
        start += length + 4


def _chunks_in(data: bytes) -> Iterator[_Chunk]:
    """The same of a file in memory, which takes a quarter of the time."""
    start, size = len(MAGIC), len(data)
    kind = b""
    while kind != b"IEND":
        if start + 8 > size:
            raise ReadError(_CUT_SHORT)
        length, kind = _HEAD.unpack_from(data, start)
        start += 8
        if start + length + 4 > size:
            raise ReadError(_CUT_SHORT)
        yield _Chunk(kind, start, length)
        start += length + 4


def _data(file: BinaryIO, chunk: _Chunk) -> bytes:
    if isinstance(file, io.BytesIO):
        return file.getvalue()[chunk.start : chunk.start + chunk.length]
    file.seek(chunk.start)
    return file.read(chunk.length)


def _orientation(file: BinaryIO, chunks: list[_Chunk]) -> int:
    # EXIF may stand behind the pixels; Pillow would decode them all before it looks there.
    for chunk in chunks:
        if chunk.kind == b"eXIf":
            return orientation_in(_data(file, chunk))
    return 1


def _check_animation(file: BinaryIO, chunks: list[_Chunk]) -> None:
    for chunk in chunks:
        if chunk.kind == b"acTL":
            check_frames(int.from_bytes(_data(file, chunk)[:4], "big"))
