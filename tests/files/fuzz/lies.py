"""Headers that lie, in each format's own words: sizes, depths, offsets and counts set to extremes, chunks and pages
lost, swapped or in a ring; with the checksums put right, so that the lie gets through to the decoder.
"""

import ast
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Final

import numpy as np

Rng = np.random.Generator

_EXTREMES: Final = (
    0, 1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 257, 1000, 4096, 16383, 16384, 20000,  # noqa: E501
    30000, 32767, 32768, 40000, 65500, 65535, 65536, 100_000, 2**20, 2**24, 2**26, 2**28, 2**30, 2**31 - 1, 2**31, 2**32 - 1,  # noqa: E501
    2**32, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip


def extreme(rng: Rng) -> int:
    """A number that somebody forgot to think of."""
    return _EXTREMES[rng.integers(len(_EXTREMES))] if rng.random() < 0.8 else int(rng.integers(2**31))


def _put(data: bytearray, at: int, form: str, value: int) -> None:
    size = struct.calcsize(form)
    if at + size <= len(data):
        struct.pack_into(form.lower(), data, at, _signed(value, size))


def _signed(value: int, size: int) -> int:
    value %= 2 ** (8 * size)
    return value - 2 ** (8 * size) if value >= 2 ** (8 * size - 1) else value


# ------------------------------------------------------------------------------------------------------------- PNG


def _png(data: bytearray, rng: Rng) -> bytes:
    chunks, at = [], 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append([bytes(data[at + 4 : at + 8]), bytearray(data[at + 8 : at + 8 + length])])
        at += 12 + length
    for _ in range(int(rng.integers(1, 4))):
        chunks = _png_change(chunks, rng)
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return bytes(data[:8]) + made


def _png_change(chunks: list[list], rng: Rng) -> list[list]:
    what, place = int(rng.integers(10)), int(rng.integers(len(chunks)))
    head = chunks[0][1]
    if what < 3 and len(head) >= 13:
        _put(head, int(rng.choice([0, 4])), ">i", extreme(rng))
    elif what < 5 and len(head) >= 13:
        field = int(rng.integers(8, 13))
        head[field] = int(rng.choice([0, 1, 2, 3, 4, 5, 6, 8, 16, 32, 255]))
    elif what == 5:
        chunks.insert(int(rng.integers(len(chunks) + 1)), [chunks[place][0], bytearray(chunks[place][1])])
    elif what == 6 and len(chunks) > 1:
        chunks.pop(place)
    elif what == 7:
        other = int(rng.integers(len(chunks)))
        chunks[place], chunks[other] = chunks[other], chunks[place]
    elif what == 8 and len(chunks[place][1]):
        chunks[place][1][int(rng.integers(len(chunks[place][1])))] ^= 1 << int(rng.integers(8))
    else:  # the pixels, unpacked, damaged and packed again
        _png_pixels(chunks, rng)
    return chunks


def _png_pixels(chunks: list[list], rng: Rng) -> None:
    places = [place for place, (kind, _) in enumerate(chunks) if kind == b"IDAT"]
    try:
        lines = bytearray(zlib.decompress(b"".join(bytes(chunks[place][1]) for place in places)))
    except zlib.error:
        return
    for _ in range(int(rng.integers(1, 9)) if lines else 0):
        lines[int(rng.integers(len(lines)))] = int(rng.integers(256))
    del lines[int(rng.integers(len(lines) + 1)) if rng.random() < 0.3 else len(lines) :]
    chunks[places[0]][1] = bytearray(zlib.compress(bytes(lines) * int(rng.choice([1, 1, 2, 50]))))


# ------------------------------------------------------------------------------------------------------------ TIFF

_TIFF_SIZES: Final = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_TIFF_CODES: Final = (254, 256, 257, 258, 259, 262, 266, 270, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 330,  # noqa: E501
                      338, 339, 347, 32997, 32998)  # fmt: skip


def _tiff(data: bytearray, rng: Rng) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    entries, links = _tiff_entries(data, order, big)
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.15 and links:
            _tiff_link(data, rng, order, big, links)
        elif entries:
            _tiff_entry(data, rng, order, big, entries[rng.integers(len(entries))])
    return bytes(data)


def _tiff_entries(data: bytearray, order: str, big: bool) -> tuple[list[int], list[int]]:
    """Where all entries of all pages are, and where the links to pages stand."""
    offset, number, size = ("Q", "Q", 20) if big else ("I", "H", 12)
    link = 8 if big else 4
    entries: list[int] = []
    links = [link]
    (at,) = struct.unpack_from(f"{order}{offset}", data, link)
    while 0 < at < len(data) - 8 and len(links) < 20:
        (count,) = struct.unpack_from(f"{order}{number}", data, at)
        at += struct.calcsize(number)
        entries += range(at, at + size * count, size)
        links.append(at + size * count)
        (at,) = struct.unpack_from(f"{order}{offset}", data, links[-1])
    return entries, links


def _tiff_link(data: bytearray, rng: Rng, order: str, big: bool, links: list[int]) -> None:
    """A page that is followed by an earlier one, by itself, or by what is no page."""
    targets = [struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, link)[0] for link in links]
    target = targets[rng.integers(len(targets))] if rng.random() < 0.7 else int(rng.integers(len(data)))
    _put(data, links[rng.integers(len(links))], f"{order}{'Q' if big else 'i'}", target)


def _tiff_entry(data: bytearray, rng: Rng, order: str, big: bool, at: int) -> None:
    _, kind = struct.unpack_from(f"{order}HH", data, at)
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, at + 4)
    value_at = at + (12 if big else 8)
    what = int(rng.integers(12))
    if what == 0:
        _put(data, at, f"{order}h", int(rng.choice(_TIFF_CODES)))
    elif what == 1:
        _put(data, at + 2, f"{order}h", int(rng.integers(0, 19)))
    elif what == 2:
        _put(data, at + 4, f"{order}{'Q' if big else 'i'}", extreme(rng))
    else:
        size = _TIFF_SIZES.get(kind, 4)
        if size * count > (8 if big else 4) and rng.random() < 0.8:  # the values themselves, not the place of them
            (value_at,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, value_at)
            value_at += size * int(rng.integers(min(count, 4096)))
        whole = {1: "b", 2: "h", 4: "i", 8: "q"}[size]
        number = (
            extreme(rng) if what < 9 else int(rng.choice([1, 2, 5, 6, 7, 8, 32773, 34712, 34925, 50000, 50001, 50002]))
        )
        _put(data, value_at, f"{order}{whole}", number)


# ------------------------------------------------------------------------------------------------------------ JPEG


def _jpeg(data: bytearray, rng: Rng) -> bytes:
    parts = _jpeg_parts(data)
    for _ in range(int(rng.integers(1, 4))):
        what, place = int(rng.integers(8)), int(rng.integers(len(parts)))
        frames = [part for part in parts if 0xC0 <= part[1] <= 0xCF and part[1] not in (0xC4, 0xC8, 0xCC)]
        if what < 4 and frames:
            frame = frames[rng.integers(len(frames))]
            if rng.random() < 0.6:
                _put(frame, int(rng.choice([5, 7])), ">h", extreme(rng))
            else:
                frame[int(rng.choice([1, 4, *range(9, len(frame))]))] = int(rng.choice([0, 1, 2, 3, 4, 8, 12, 16, 0x11, 0x44, 0xC1, 0xC2, 0xC3, 0xC9, 255]))  # fmt: skip # noqa: E501
        elif what == 4:
            parts.insert(int(rng.integers(len(parts))), bytearray(parts[place]))
        elif what == 5 and len(parts) > 2:
            parts.pop(place)
        elif what == 6:
            other = int(rng.integers(len(parts)))
            parts[place], parts[other] = parts[other], parts[place]
        elif len(parts[place]) > 4:
            parts[place][int(rng.integers(2, len(parts[place])))] = int(rng.integers(256))
    return b"\xff\xd8" + b"".join(parts) + b"\xff\xd9"


def _jpeg_parts(data: bytearray) -> list[bytearray]:
    """The segments, each with its marker; a scan with the bits behind it."""
    starts, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xD9:
        starts.append(at)
        scan = data[at + 1] == 0xDA
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if scan:
            found = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL).search(data, at)
            at = found.start() if found else len(data)
    return [data[start:end] for start, end in zip(starts, [*starts[1:], at], strict=True)]


# ------------------------------------------------------------------------------------------- BMP, GIF, WebP, JPEG 2000


def _at_fields(*fields: tuple[int, str]) -> Callable[[bytearray, Rng], bytes]:
    """Lies at fixed places: where, and as which number."""

    def lie(data: bytearray, rng: Rng) -> bytes:
        for _ in range(int(rng.integers(1, 4))):
            at, form = fields[rng.integers(len(fields))]
            _put(data, at, form, extreme(rng))
        return bytes(data)

    return lie


_bmp = _at_fields((2, "<i"), (10, "<i"), (14, "<i"), (18, "<i"), (22, "<i"), (18, "<i"), (22, "<i"), (26, "<h"), (28, "<h"),  # noqa: E501
                  (30, "<i"), (34, "<i"), (46, "<i"), (50, "<i"), (54, "<i"), (58, "<i"))  # fmt: skip


def _gif(data: bytearray, rng: Rng) -> bytes:
    frame = data.find(b"\x2c", 13 + (3 << ((data[10] & 7) + 1) if data[10] & 128 else 0))
    places = [(6, "<h"), (8, "<h"), (10, "<b"), (11, "<b")]
    if frame > 0:
        places += [(frame + 1, "<h"), (frame + 3, "<h"), (frame + 5, "<h"), (frame + 7, "<h"), (frame + 9, "<b"), (frame + 10, "<b")]  # fmt: skip # noqa: E501
    return _at_fields(*places)(data, rng)


def _webp(data: bytearray, rng: Rng) -> bytes:
    at = max(data.find(b"VP8"), 12)
    places = [(4, "<i"), (16, "<i"), *((at + step, form) for step in (4, 8, 12, 15, 18) for form in ("<b", "<h", "<i"))]
    places += [(at + step, "<h") for step in (14, 16)]
    return _at_fields(*places)(data, rng)


def _jp2(data: bytearray, rng: Rng) -> bytes:
    at = max(data.find(b"\xff\x51"), 0)
    sizes = [(at + 6 + 4 * field, ">i") for field in range(8)]
    more = [
        (at + 38, ">h"),
        *((at + 40 + step, ">b") for step in range(9)),
        *((at + step, ">b") for step in range(50, 80)),
    ]
    header = data.find(b"ihdr")
    boxes = [(header + 4, ">i"), (header + 8, ">i"), (header + 12, ">h"), (header - 4, ">i")] if header > 0 else []
    return _at_fields(*sizes, *sizes, *more, *boxes)(data, rng)


# ------------------------------------------------------------------------------------------- arrays, NIfTI and Zarr


def _npy(data: bytearray, rng: Rng) -> bytes:
    size = int.from_bytes(data[8:10], "little")
    about = ast.literal_eval(data[10 : 10 + size].decode("latin1"))
    what = int(rng.integers(6))
    if what < 3:
        shape = list(about["shape"])
        shape[int(rng.integers(len(shape)))] = extreme(rng) * int(rng.choice([1, 1, 1, -1]))
        about["shape"] = tuple(shape)
    elif what == 3:
        about["shape"] = tuple(int(side) for side in rng.choice([0, 1, 2, 24, 33, 2**31], int(rng.integers(0, 70))))
    elif what == 4:
        about["descr"] = str(
            rng.choice(["|O", "<f16", "<U9", "<M8[s]", "|V4", "<i8", "<u2", ">c16", "|S0", "<f3", "x"])
        )
    else:
        about["fortran_order"] = [True, False, None, 7][rng.integers(4)]
    text = repr(about).encode("latin1") + b"\n"
    if rng.random() < 0.2:  # deep nesting
        text = b"{'descr': " + b"(" * 5000 + b"\n"
    told = len(text) if rng.random() < 0.8 else extreme(rng)
    return bytes(data[:8]) + struct.pack("<H", told % 2**16) + text + bytes(data[10 + size :])


def _npz(data: bytearray, rng: Rng) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as old, zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, _npy(bytearray(old.read(name)), rng))
    made = bytearray(memory.getvalue())
    if rng.random() < 0.4:  # what the directory says of sizes
        at = made.rfind(b"PK\x01\x02")
        _put(made, at + int(rng.choice([10, 20, 24, 28, 42])), "<i", extreme(rng))
    return bytes(made)


_nifti = _at_fields((0, "<i"), (40, "<h"), (42, "<h"), (44, "<h"), (46, "<h"), (48, "<h"), (50, "<h"), (70, "<h"), (72, "<h"),  # noqa: E501
                    (108, "<i"), (112, "<i"), (116, "<i"), (252, "<h"), (344, "<i"))  # fmt: skip


def _gz(data: bytearray, rng: Rng) -> bytes:
    inside = bytearray(zlib.decompress(bytes(data), 31))
    packer = zlib.compressobj(wbits=31)
    return packer.compress(_nifti(inside, rng)) + packer.flush()


def _zarr(data: bytearray, rng: Rng) -> bytes:
    """A number or word in the JSON; of a chunk, any number."""
    try:
        about = json.loads(bytes(data))
    except ValueError:
        return _at_fields((int(rng.integers(len(data) + 1)), "<i"))(data, rng)
    for _ in range(int(rng.integers(1, 3))):
        owner = about
        while True:
            keys = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
            key = keys[rng.integers(len(keys))] if keys else None
            if key is None or not isinstance(owner[key], dict | list) or rng.random() < 0.2:
                break
            owner = owner[key]
        if key is not None:
            owner[key] = [extreme(rng), -1, None, [], {}, "x", "../..", 1e308, [[]] * 9][rng.integers(9)]
    return b"[" * 100_000 if rng.random() < 0.05 else json.dumps(about).encode()


# ------------------------------------------------------------------------------------------------ ERDAS, archives

# The place of the tree, and near the start of the file the entries themselves, each of 32-bit numbers.
_erdas = _at_fields(
    (16, "<i"), (20, "<i"), *((at, "<i") for at in range(24, 420, 4)), *((at, "<h") for at in range(420, 900, 2))
)


def _tar(data: bytearray, rng: Rng) -> bytes:
    """A number or a type in a header, the check sum put right."""
    for _ in range(int(rng.integers(1, 3))):
        heads = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
        at = heads[rng.integers(len(heads))] if heads else 0
        what = int(rng.integers(4))
        if what == 0:
            size = extreme(rng) % 8**11
            data[at + 124 : at + 136] = b"%011o\0" % size
        elif what == 1:  # a number of 8 bytes, as GNU writes it
            data[at + 124 : at + 136] = b"\x80\0\0\0" + struct.pack(">Q", extreme(rng))
        elif what == 2:
            data[at + 156] = int(rng.choice([*b"01234567LKxgSVD", 0, 255]))
        else:
            data[at : at + 8] = (b"../../..", b"/etc/aaa", bytes(8), b"C:\\aaaaa", b"a.tar/aa", b"\xff" * 8)[
                rng.integers(6)
            ]
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


def _zip(data: bytearray, rng: Rng) -> bytes:
    """A number in the directory, in a member's own header, or at the end."""
    for _ in range(int(rng.integers(1, 4))):
        sign, fields = (
            (b"PK\1\2", ((8, "<h"), (10, "<h"), (16, "<i"), (20, "<i"), (24, "<i"), (28, "<h"), (30, "<h"), (38, "<i"), (42, "<i"))),  # noqa: E501
            (b"PK\3\4", ((6, "<h"), (8, "<h"), (18, "<i"), (22, "<i"), (26, "<h"), (28, "<h"))),
            (b"PK\5\6", ((8, "<h"), (10, "<h"), (12, "<i"), (16, "<i"), (20, "<h"))),
        )[rng.choice([0, 0, 1, 2])]  # fmt: skip
        places = [found.start() for found in re.finditer(re.escape(sign), data)]
        if places:
            at, form = fields[rng.integers(len(fields))]
            _put(data, places[rng.integers(len(places))] + at, form, extreme(rng))
    return bytes(data)


LIES: Final[dict[str, Callable[[bytearray, Rng], bytes]]] = {
    "png": _png, "tiff": _tiff, "jpeg": _jpeg, "bmp": _bmp, "gif": _gif, "webp": _webp, "jp2": _jp2, "npy": _npy, "npz": _npz,  # noqa: E501
    "nifti": _nifti, "gz": _gz, "zarr": _zarr, "erdas": _erdas, "tar": _tar, "zip": _zip,
}  # fmt: skip
