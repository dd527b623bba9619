"""Small files that unfold to gigabytes, promise what they do not hold, or run in a ring. None takes long to paint."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from flavours import Data, picture, pillow
from flavours_pictures import PNG_CHANNELS, chunk

Rng = np.random.Generator

# Rows and columns. Mostly more than can be read: what can, takes a second each.
_SIZES: Final = (
    (9_000, 9_000), (20_000, 20_000), (30_000, 30_000), (31_000, 32_000), (60_000, 60_000), (65_535, 65_535), (1, 2**31 - 1),  # noqa: E501
    (2**31 - 1, 1), (2**20, 2**12), (2**31 - 1, 2**31 - 1), (100_000, 3), (3, 500_000_000),
)  # fmt: skip


def _size(rng: Rng, top: int = 2**31) -> tuple[int, int]:
    height, width = _SIZES[rng.integers(len(_SIZES))]
    return min(height, top), min(width, top)


def zeros(count: int, wbits: int = 15) -> bytes:
    """A zlib (15) or raw (-15) stream of so many zeros; about a thousandth as long, and made at once."""
    block = 2**20
    packer = zlib.compressobj(9, wbits=-15)
    whole = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, wbits=-15)
    end = last.compress(bytes(count % block)) + last.flush()
    data = whole * (count // block) + end
    adler = (count % 65521) << 16 | 1
    return data if wbits < 0 else b"\x78\x9c" + data + struct.pack(">I", adler)


def _png(rng: Rng) -> bytes:
    height, width = _size(rng)
    colours, bits = [(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 8), (6, 8), (6, 16)][rng.integers(9)]
    line = (width * bits * PNG_CHANNELS[colours] + 7) // 8 + 1
    told = min(line * height, 6 * 2**30) if rng.random() < 0.5 else 2**20  # half keep the promise, half break it
    before = chunk(b"PLTE", bytes(6)) if colours == 3 else b""
    if rng.random() < 0.4:  # text that unfolds behind a small picture
        height, width, told = 5, 5, 5 * ((5 * bits * PNG_CHANNELS[colours] + 7) // 8 + 1)
        before += chunk(b"zTXt", b"Note\0\0" + zeros(2**31)) + chunk(b"iCCP", b"Profile\0\0" + zeros(2**31))
    interlaced = int(rng.random() < 0.2)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", zeros(told)) + chunk(b"IEND", b"")


def _tiff(rng: Rng) -> bytes:
    kind = int(rng.integers(4))
    if kind == 0:
        return _tiff_ring(rng)
    height, width = _size(rng)
    samples, bits = [(1, 1), (1, 8), (3, 8), (4, 16), (1, 32), (60_000, 8)][rng.integers(6)]
    total = (width * samples * bits + 7) // 8 * height
    packing, data = [
        (8, lambda: zeros(min(total, 5 * 2**30))), (8, lambda: zeros(2**20)), (50000, lambda: _zstd(min(total, 5 * 2**30))),  # noqa: E501
        (32773, lambda: b"\x81\0" * min(-(-total // 128), 2**20)), (1, lambda: b""), (5, lambda: b"\x80\0\0" * 1000),
        (7, lambda: _jpeg(rng)), (50001, lambda: _webp(rng)), (34712, lambda: _jp2(rng)), (34933, lambda: _png(rng)),
        (50000, lambda: _zstd(9)), (4, lambda: b"\x80\1" * 99),
    ][rng.integers(12)]  # fmt: skip
    if packing in (7, 50001, 34712, 34933) and rng.random() < 0.7:  # a small page whose only strip is the bomb
        height, width, samples, bits = 24, 33, 3, 8
    tiles = kind == 1
    entries = [
        (256, width),
        (257, height),
        (258, bits),
        (259, packing),
        (262, 1 if samples != 3 else 2),
        (277, samples),
    ]
    if tiles and rng.random() < 0.5:  # a small page in one large tile
        entries[:2] = [(256, 9), (257, 9)]
    place = (324, 325) if tiles else (273, 279)
    entries += [(322, width), (323, height)] if tiles else [(278, height)]
    return _tiff_of(entries, place, data(), count=int(rng.choice([1, 1, 1, 1000])))


def _tiff_of(entries: list[tuple[int, int]], place: tuple[int, int], data: bytes, count: int = 1) -> bytes:
    """One page; its data counted once, or many times from the same place."""
    behind = 8 + 2 + 12 * (len(entries) + 2) + 4
    start = behind + 8 * count
    values = {place[0]: start, place[1]: len(data)}
    told = sorted([*((code, value, 1) for code, value in entries), *((code, values[code], count) for code in place)])
    page, lists = struct.pack("<H", len(told)), b""
    for code, value, number in told:
        if number > 1:
            page += struct.pack("<HHII", code, 4, number, behind + len(lists))
            lists += struct.pack("<I", value) * number
        else:
            page += struct.pack("<HHII", code, 4, 1, value % 2**32)
    return b"II*\0" + struct.pack("<I", 8) + page + bytes(4) + lists.ljust(8 * count, b"\0") + data


def _tiff_ring(rng: Rng) -> bytes:
    """Pages that follow each other in a ring, or pages without end out of a few bytes."""
    count = int(rng.choice([1, 2, 3, 50, 150, 5000]))
    entries = [(256, 9), (257, 9), (258, 8), (259, 1), (262, 1), (277, 1), (278, 9), (273, 8), (279, 81)]
    size = 2 + 12 * len(entries) + 4
    back = int(rng.integers(count))
    made = b"II*\0" + struct.pack("<I", 8 + 81 + 1) + bytes(82)
    for page in range(count):
        following = page + 1 if page < count - 1 else back
        told = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in sorted(entries))
        made += struct.pack("<H", len(entries)) + told + struct.pack("<I", 90 + size * following)
    return made


def _zstd(count: int) -> bytes:
    """Zeros as zstd: blocks of one repeated byte, 4 bytes for 128 KiB."""
    block = 2**17
    whole, rest = divmod(count, block)
    frame = b"\x28\xb5\x2f\xfd" + bytes([0xE0]) + struct.pack("<Q", count)
    blocks = [(block << 3 | 1 << 1).to_bytes(3, "little") + b"\0"] * whole
    return frame + b"".join(blocks) + (rest << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"


def _jpeg(rng: Rng) -> bytes:
    data = bytearray(pillow("JPEG", str(rng.choice(["L", "RGB", "CMYK"])), progressive=bool(rng.random() < 0.6))())
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    height, width = _size(rng, 65500)
    struct.pack_into(">HH", data, frame + 5, height, width)
    if rng.random() < 0.5:  # the last scan again and again
        scan = data.rfind(b"\xff\xda")
        data[-2:-2] = data[scan:-2] * int(rng.choice([20, 3000]))
    return bytes(data)


def _gif(rng: Rng) -> bytes:
    height, width = _size(rng, 65535)
    own = (height, width) if rng.random() < 0.5 else (5, 5)
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, own[1], own[0], 0)
    if rng.random() < 0.3:  # frames without end
        return head + (frame + b"\2\2\x44\1\0") * 200_000 + b";"
    return head + frame + b"\x08" + (b"\xff" + b"\x00\x55" * 127 + b"\0") * 3000 + b"\0;"


def _bmp(rng: Rng) -> bytes:
    height, width = _size(rng)
    bits, packing = [(1, 0), (8, 0), (24, 0), (8, 1), (4, 2)][rng.integers(5)]
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, 0, 0, 0, 2, 0)
    data = b"\xff\0" * 500_000 + b"\0\1" if packing else bytes(1000)
    if packing and rng.random() < 0.5:
        data = b"\0\2\xff\xff" * 10_000 + b"\0\1"  # jumps ahead, without a pixel
    return struct.pack("<2sIHHI", b"BM", 0, 0, 0, 62) + head + b"\0\0\0\0\xff\0\xff\0" + data


def _webp(rng: Rng) -> bytes:
    side = 16383 if rng.random() < 0.3 else 2**14
    bits = (side - 1) | (side - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + bytes(40)
    if rng.random() < 0.5:  # a lossy one
        frame = bytearray(pillow("WEBP")()[20:])
        struct.pack_into("<HH", frame, 6, 16383, 16383)
        return b"RIFF" + struct.pack("<I", len(frame) + 12) + b"WEBPVP8 " + struct.pack("<I", len(frame)) + bytes(frame)
    return b"RIFF" + struct.pack("<I", len(data) + 12) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data


def _npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    text = (repr({"descr": dtype, "fortran_order": False, "shape": shape}) + "\n").encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


def _npy(rng: Rng) -> bytes:
    return _npy_header(_size(rng), str(rng.choice(["|u1", "<f8", "<c16"]))) + bytes(1000)


def _npz(rng: Rng) -> bytes:
    height, width = _size(rng)
    head = _npy_header((height, width), "|u1")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("arr_0.npy", head + bytes(2**22))
    if rng.random() < 0.3:
        return memory.getvalue()
    # The same by hand, with gigabytes of zeros: the check sum is wrong, but stands at the end.
    count = min(height * width, 5 * 2**30)
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH) + zeros(count, -15)
    return zip_of("arr_0.npy", data, count + len(head))


def zip_of(name: str, data: bytes, told: int) -> bytes:
    """An archive of one member that says it unpacks to so many bytes."""
    sizes = struct.pack("<III", 0, len(data), min(told, 2**32 - 1))
    local = b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0) + name.encode()
    index = b"PK\1\2" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0) + sizes
    index += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name.encode()
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(index), len(local) + len(data), 0)
    return local + data + index + end


def _nifti_head(rng: Rng) -> bytes:
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    side = int(rng.choice([300, 3000, 32767]))
    struct.pack_into("<8h", head, 40, 3, side, side, side, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 64, 64)
    struct.pack_into("<8f", head, 76, *[1.0] * 8)
    struct.pack_into("<f", head, 108, 352.0)
    head[344:348] = b"n+1\0"
    return bytes(head)


def _nifti(rng: Rng) -> bytes:
    return _nifti_head(rng) + bytes(100)


def _gz(rng: Rng) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(_nifti_head(rng)) + packer.flush(zlib.Z_FULL_FLUSH) + zeros(int(rng.choice([2**20, 2**32, 6 * 2**30])), -15)  # fmt: skip # noqa: E501
    return gzip.compress(b"", mtime=0)[:10] + data + bytes(8)


def _jp2(rng: Rng) -> bytes:
    import imagecodecs

    data = bytearray(imagecodecs.jpeg2k_encode(picture(3), codecformat="j2k"))
    height, width = _size(rng)
    struct.pack_into(">II", data, 8, width, height)
    if rng.random() < 0.5:
        struct.pack_into(">II", data, 24, width, height)  # one tile of that size
    return bytes(data)


def _zarr(rng: Rng) -> dict[str, bytes]:
    height, width = _size(rng)
    chunks = [height, width] if rng.random() < 0.5 else [int(rng.choice([1, 64])), 64]
    about: dict[str, Any] = {"zarr_format": 2, "shape": [height, width], "chunks": chunks, "dtype": "<f8", "fill_value": 0,  # noqa: E501
                             "order": "C", "filters": None, "compressor": {"id": "zlib", "level": 1}}  # fmt: skip
    if rng.random() < 0.4:  # a small picture whose chunk unfolds to gigabytes
        about |= {"shape": [24, 33], "chunks": [24, 33], "dtype": "|u1"}
        packing = ("zlib", "zstd", "blosc", "lz4")[rng.integers(4)]
        about["compressor"] = {"id": packing, **({"level": 1} if packing in ("zlib", "zstd") else {})}
        told = struct.pack("<I", 2**31 - 64)
        data = {"zlib": lambda: zeros(3 * 2**30), "zstd": lambda: _zstd(3 * 2**30), "lz4": lambda: told + bytes(99),
                "blosc": lambda: b"\2\1\x21\1" + told + struct.pack("<II", 2**20, 116) + bytes(100)}[packing]()  # fmt: skip # noqa: E501
        return {".zarray": json.dumps(about).encode(), "0.0": data}
    return {".zarray": json.dumps(about).encode(), "0.0": zeros(min(height * width * 8, 4 * 2**30))}


def _tar(rng: Rng) -> bytes:
    """Headers without end, a member of terabytes, or a bomb in a tar."""
    what = int(rng.integers(3))
    if what == 0:
        return (_tar_head("a.png", 0) * 30_000) + bytes(1024)
    if what == 1:
        return _tar_head("a.png", int(rng.choice([2**33 - 1, 2**30]))) + bytes(1024)
    data = _png(rng)
    return _tar_head("a.png", len(data)) + data + bytes(-len(data) % 512 + 1024)


def _tar_head(name: str, size: int) -> bytes:
    about = tarfile.TarInfo(name)
    about.size = size
    return about.tobuf(tarfile.USTAR_FORMAT)


def _zip(rng: Rng) -> bytes:
    """A member that unfolds to gigabytes, told or not, or a bomb in a zip."""
    if rng.random() < 0.3:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.tif", _tiff(rng))
        return memory.getvalue()
    count = int(rng.choice([2**20, 2**29, 2**30, 3 * 2**30]))
    told = count if rng.random() < 0.5 else int(rng.choice([100, 2**29, 2**30, 2**32 - 1]))
    return zip_of("a.png", zeros(count, -15), told)


BOMBS: Final[dict[str, Callable[[Rng], Data]]] = {
    "png": _png, "tiff": _tiff, "jpeg": _jpeg, "gif": _gif, "bmp": _bmp, "webp": _webp, "npy": _npy, "npz": _npz,
    "nifti": _nifti, "gz": _gz, "jp2": _jp2, "zarr": _zarr, "tar": _tar, "zip": _zip,
}  # fmt: skip
