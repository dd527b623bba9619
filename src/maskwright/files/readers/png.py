"""PNG of every depth: libpng by imagecodecs for 8 and 16 bits, Pillow for palettes and fewer bits.

Pillow cuts 16-bit colour to 8 bits and takes twice the time; imagecodecs loses the palette.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Final

import numpy as np
from PIL.PngImagePlugin import PngImageFile

from maskwright.errors import ReadError
from maskwright.files.orientation import orientation_in
from maskwright.files.readers import readers
from maskwright.files.readers.pillow import check_frames, stored_from
from maskwright.files.stored import Array, Stored

MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_PALETTE: Final = 3
_WITH_ALPHA: Final = {4, 6}
_CHANNELS: Final = {0: 1, 2: 3, 4: 1, 6: 3}  # by type of colour, without alpha


@dataclass(frozen=True)
class _Chunk:
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
        width, height, bits, colours = struct.unpack(">IIBB", _data(file, chunks[0])[:10])
        if bits < 8 or colours == _PALETTE:
            file.seek(0)
            few = stored_from(PngImageFile(file))
            return Stored(
                height, width, 1, "uint8", few.decode, orientation, few.palette, few.bits,
                alpha=_alpha(file, chunks, colours, few.decode),
            )  # fmt: skip
        channels, dtype = _CHANNELS[colours], f"uint{bits}"

        def decode() -> Array:
            return _decode(file, chunks, channels)

        alpha = _alpha(file, chunks, colours, decode)
        return Stored(height, width, channels, dtype, decode, orientation, bits=bits, alpha=alpha)


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


def _decode(file: BinaryIO, chunks: list[_Chunk], channels: int) -> Array:
    import imagecodecs

    file.seek(0)
    data = memoryview(file.read())
    # Only what the pixels need: libpng complains on stderr of colour profiles that it finds in half the
    # world's files.
    needed = [chunk for chunk in chunks if chunk.kind in (b"IHDR", b"IDAT", b"IEND")]
    parts = [data[chunk.start - 8 : chunk.start + chunk.length + 4] for chunk in needed]
    values: Array = imagecodecs.png_decode(b"".join([MAGIC, *parts]))
    return values.reshape(*values.shape[:2], -1)[:, :, :channels]


def _chunks(file: BinaryIO) -> Iterator[_Chunk]:
    """The chunks of the file, passing over their data."""
    start, size = len(MAGIC), file.seek(0, 2)
    kind = b""
    while kind != b"IEND":
        file.seek(start)
        head = file.read(8)
        kind, length = head[4:], int.from_bytes(head[:4], "big")
        start += 8
        if len(head) < 8 or start + length + 4 > size:
            raise ReadError("is a PNG that was cut short: its end is missing. Copy, download or export it again.")
        yield _Chunk(kind, start, length)
        start += length + 4


def _data(file: BinaryIO, chunk: _Chunk) -> bytes:
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
