"""PNG, JPEG, BMP, GIF and WebP."""

import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import imagecodecs
import numpy as np
from flavours import HEIGHT, WIDTH, Data, animation, exif, flavours, picture, pillow

PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7: Final = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    bits: int, colours: int, interlaced: bool = False, before: bytes = b"", after: bytes = b"", parts: int = 1
) -> Callable[[], bytes]:
    """A PNG of any depth; `parts` IDAT chunks."""

    def paint() -> bytes:
        samples = picture(PNG_CHANNELS[colours], dtype="uint16") >> (16 - bits)
        if colours == 3:
            samples %= min(2**bits, 200)
        passes = [samples[top::down, left::right] for top, left, down, right in ADAM7] if interlaced else [samples]
        lines = b"".join(b"\0" + _line(row, bits) for part in passes if part.size for row in part)
        pixels = zlib.compress(lines)
        cut = -(-len(pixels) // parts)
        data = b"".join(chunk(b"IDAT", pixels[at : at + cut]) for at in range(0, len(pixels), cut))
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, colours, 0, 0, interlaced))
        palette = chunk(b"PLTE", _colours(min(2**bits, 200)))
        return b"".join(
            [b"\x89PNG\r\n\x1a\n", head, palette if colours == 3 else b"", before, data, after, chunk(b"IEND", b"")]
        )

    return paint


def _line(row: np.ndarray[Any, Any], bits: int) -> bytes:
    values = row.reshape(-1)
    if bits == 16:
        return values.astype(">u2").tobytes()
    digits = np.unpackbits(values.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(digits.ravel()).tobytes()


def _colours(count: int) -> bytes:
    return bytes((place * step) % 256 for place in range(count) for step in (3, 7, 11))


@flavours("png", ".png")
def _pngs() -> dict[str, Callable[[], Data]]:
    made = {f"grey{bits}": png(bits, 0) for bits in (1, 2, 4, 8, 16)}
    made |= {f"palette{bits}": png(bits, 3) for bits in (1, 2, 4, 8)}
    made |= {
        f"{name}{bits}": png(bits, kind) for name, kind in (("rgb", 2), ("la", 4), ("rgba", 6)) for bits in (8, 16)
    }
    made |= {f"interlaced-{name}": png(bits, kind, True) for name, bits, kind in (("grey1", 1, 0), ("palette8", 8, 3))}
    made |= {f"interlaced-{name}": png(bits, kind, True) for name, bits, kind in (("rgb8", 8, 2), ("rgba16", 16, 6))}
    text = chunk(b"tEXt", b"Title\0a picture") + chunk(b"zTXt", b"Note\0\0" + zlib.compress(b"words " * 50))
    return made | {
        "exif": png(8, 2, before=chunk(b"eXIf", exif(6)[6:])),
        "exif-behind": png(8, 0, after=chunk(b"eXIf", exif(5)[6:])),
        "text": png(8, 0, before=text + chunk(b"tRNS", b"\0\7"), parts=5),
        "palette-text": png(8, 3, before=chunk(b"tRNS", bytes(range(99))) + text, parts=3),
        "animation": animation("PNG"),
    }


@flavours("jpeg", ".jpg")
def _jpegs() -> dict[str, Callable[[], Data]]:
    lossless = lambda: imagecodecs.ljpeg_encode(picture(dtype="uint8"), bitspersample=8)  # noqa: E731
    return {
        "grey": pillow("JPEG", "L"),
        "baseline": pillow("JPEG"),
        "444": pillow("JPEG", subsampling=0, quality=100),
        "progressive": pillow("JPEG", progressive=True),
        "restarts": pillow("JPEG", restart_marker_rows=1),
        "cmyk": pillow("JPEG", "CMYK"),
        "exif": pillow("JPEG", exif=exif(6)),
        "exif-grey": pillow("JPEG", "L", exif=exif(3)),
        "lossless": lossless,
    }


def _bmp(bits: int, packing: int = 0, top_down: bool = False) -> Callable[[], bytes]:
    def paint() -> bytes:
        palette = b"".join(bytes((i * 5 % 256, i * 3 % 256, i * 7 % 256, 0)) for i in range(2**bits if bits < 9 else 0))
        fields = struct.pack("<III", 0xF800, 0x07E0, 0x001F) if packing == 3 else b""
        line = (WIDTH * bits + 31) // 32 * 4
        rows = np.resize(picture(), (HEIGHT, line)).astype(np.uint8)
        pixels = rows.tobytes()
        if packing in (1, 2):
            pixels = b"".join(bytes([WIDTH, row[0], 0, 0]) for row in rows) + b"\0\1"
        start = 54 + len(palette) + len(fields)
        head = struct.pack(
            "<IiiHHIIiiII", 40, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, packing, len(pixels), 2835, 2835, 0, 0
        )
        return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + head + fields + palette + pixels

    return paint


@flavours("bmp", ".bmp")
def _bmps() -> dict[str, Callable[[], Data]]:
    made: dict[str, Callable[[], Data]] = {
        f"pillow-{mode}": pillow("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")
    }
    made |= {f"palette{bits}": _bmp(bits) for bits in (1, 4, 8)}
    return made | {"rgb16": _bmp(16), "rgb24-top": _bmp(24, top_down=True), "rgb32": _bmp(32), "rle8": _bmp(8, 1),
                   "rle4": _bmp(4, 2), "fields16": _bmp(16, 3)}  # fmt: skip


@flavours("gif", ".gif")
def _gifs() -> dict[str, Callable[[], Data]]:
    return {"grey": pillow("GIF", "L"), "palette": pillow("GIF", "P"), "interlaced": pillow("GIF", "P", interlace=1),
            "transparent": pillow("GIF", "P", transparency=3), "animation": animation("GIF")}  # fmt: skip


@flavours("webp", ".webp")
def _webps() -> dict[str, Callable[[], Data]]:
    return {
        "lossy": pillow("WEBP"),
        "lossless": pillow("WEBP", lossless=True),
        "alpha": pillow("WEBP", "RGBA"),
        "lossless-alpha": pillow("WEBP", "RGBA", lossless=True),
        "exif": pillow("WEBP", exif=exif(8)),
        "animation": animation("WEBP"),
    }
