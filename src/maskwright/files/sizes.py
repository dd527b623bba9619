"""What packed pictures say of their own size, read from their first bytes."""

import struct
from collections.abc import Callable
from typing import Final

Size = tuple[int, int]


def size_of(data: bytes) -> Size | None:
    """Height and width of a JPEG, JPEG 2000, PNG, WebP, JPEG XL, JPEG XR or LERC; None if these bytes do not say."""
    for start, read in _KINDS:
        if data.startswith(start):
            try:
                return read(data)
            except (struct.error, IndexError):
                return None
    return None


def _jpeg(data: bytes) -> Size | None:
    """The largest frame before the pixels; JPEG tables alone have none."""
    at, found = 2, None
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1  # decoders look for the next marker
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker == 0 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xDA, 0xD9):
            return found
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            frame = struct.unpack_from(">HH", data, at + 5)
            found = max(found, frame, key=lambda size: size[0] * size[1]) if found else frame
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _jpeg2000(data: bytes) -> Size | None:
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    return max(0, bottom - top), max(0, right - left)


def _png(data: bytes) -> Size:
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def webp_size(data: bytes) -> Size | None:
    """Height and width of a WebP; the canvas, where it has one."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[27:30], "little"), 1 + int.from_bytes(data[24:27], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return height & 0x3FFF, width & 0x3FFF


def _jpegxl(data: bytes) -> Size | None:
    at = data.find(b"\xff\x0a")
    if at < 0 or len(data) < at + 11:  # a size takes 67 bits at most
        return None
    bits = _Bits(int.from_bytes(data[at + 2 : at + 18], "little"))
    small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1
    ratio = bits.take(3)
    if ratio:
        over, under = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return height, height * over // under
    return height, (bits.take(5) + 1) * 8 if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


class _Bits:
    """A number read bit by bit from its lower end."""

    def __init__(self, number: int):
        self._left = number

    def take(self, count: int) -> int:
        value = self._left & (1 << count) - 1
        self._left >>= count
        return value


def _jpegxr(data: bytes) -> Size | None:
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    told = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        code, kind, _, value = struct.unpack_from("<HHII", data, entry)
        told[code] = value & 0xFFFF if kind == 3 else value
    return (told[0xBC81], told[0xBC80]) if {0xBC80, 0xBC81} <= told.keys() else None


def _lerc(data: bytes) -> Size:
    # The check sum came with the third version.
    at = 14 if int.from_bytes(data[6:10], "little") > 2 else 10
    return struct.unpack_from("<II", data, at)


_KINDS: Final[tuple[tuple[bytes, Callable[[bytes], Size | None]], ...]] = (
    (b"\xff\xd8", _jpeg), (b"\xff\x4f\xff\x51", _jpeg2000), (b"\0\0\0\x0cjP", _jpeg2000),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", webp_size), (b"\xff\x0a", _jpegxl), (b"\0\0\0\x0cJXL ", _jpegxl),
    (b"II\xbc", _jpegxr), (b"Lerc2 ", _lerc),
)  # fmt: skip
