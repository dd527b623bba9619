"""What one read may take: too much is refused before it is decoded, and what fits is read. The pictures are small, and
the limit is set to just below and above what they take.
"""

import io
import struct
import tracemalloc
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskwright.errors import ReadError
from maskwright.files import limits, opening, pages_in, read_header, read_image, read_mask, stored
from maskwright.files.limits import bands, check_promise
from maskwright.files.sizes import size_of

SIDE = 900  # the smallest copies are then larger than what else Python allocates


def saved(kind, mode, **options):
    def save(path):
        Image.new(mode, (SIDE, SIDE), 1 if mode in ("P", "L", "1") else None).save(path, kind, **options)

    return save


def tiff(*channels, dtype="uint8", **options):
    return lambda path: tifffile.imwrite(path, np.ones((SIDE, SIDE, *channels), dtype), **options)


KINDS = {
    "png": saved("PNG", "RGB"), "png-alpha": saved("PNG", "RGBA"), "png-palette": saved("PNG", "P"), "png-bits": saved("PNG", "1"),  # noqa: E501
    "jpeg": saved("JPEG", "RGB"), "jpeg-progressive": saved("JPEG", "RGB", progressive=True), "jpeg-cmyk": saved("JPEG", "CMYK"),  # noqa: E501
    "gif": saved("GIF", "P"), "bmp": saved("BMP", "RGB"), "webp": saved("WEBP", "RGB"),
    "tiff": tiff(photometric="minisblack"), "tiff-zlib": tiff(3, photometric="rgb", compression="zlib"),
    "tiff-tiles": tiff(photometric="minisblack", tile=(64, 64), compression="zstd"),
    "tiff-uint32": tiff(dtype="uint32", photometric="minisblack", compression="lzw"),
    "tiff-float64": tiff(dtype="float64", photometric="minisblack"),
    "tiff-cmyk": tiff(4, photometric="separated"),
    "tiff-orientation": tiff(photometric="minisblack", extratags=[(274, 3, 1, 6, True)]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_takes_more_than_the_limit_is_refused_and_what_takes_less_is_read(kind, tmp_path, monkeypatch):
    save = KINDS[kind]
    save(tmp_path / f"large{'.tif' if 'tiff' in kind else ''}")
    path = next(tmp_path.iterdir())
    with opening.opened(path) as opened:
        needed = opened.image_bytes()
    pixels = SIDE * SIDE
    assert pixels <= needed <= 45 * pixels

    monkeypatch.setattr(limits, "MAX_BYTES", max(needed, 18 * pixels if kind == "webp" else 0))
    assert read_image(path).shape[:2] == (SIDE, SIDE)
    monkeypatch.setattr(limits, "MAX_BYTES", needed - 1)
    with pytest.raises(ReadError, match=rf"large.* says that it holds {SIDE}×{SIDE} pixels.*GiB.*Cut it"):
        read_image(path)
    if kind not in ("webp", "gif"):  # whose libraries make room for the pixels to read the header
        assert read_header(path).width == SIDE


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("webp",)])
@pytest.mark.parametrize("read", ["image", "mask", "colour"])
def test_no_read_allocates_more_in_python_than_was_counted(kind, read, tmp_path):
    """What NumPy and Python allocate is seen by tracemalloc; C decoders' own memory is measured by the fuzz test."""
    KINDS[kind](tmp_path / f"large{'.tif' if 'tiff' in kind else ''}")
    path = next(tmp_path.iterdir())
    reads = {"image": read_image, "mask": read_mask, "colour": lambda path: read_mask(path, colour=True)}
    counted = []

    def count(needed, what):
        counted.append(needed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "check_memory", count)
        patch.setattr(limits, "_BAND", 2**14)
        try:
            reads[read](path)  # libraries are loaded
            tracemalloc.start()
            reads[read](path)
            _, peak = tracemalloc.get_traced_memory()
        except ReadError as error:
            assert read != "image"
            assert "mask" in str(error)  # noqa: PT017
            return
        finally:
            tracemalloc.stop()
    assert peak < counted[-1] + 2**21  # and what the libraries' tables take


def test_a_mask_counts_its_copies(tmp_path, monkeypatch):
    values = np.arange(SIDE * SIDE * 3, dtype=np.uint8).reshape(SIDE, SIDE, 3)
    Image.fromarray(values).save(tmp_path / "colour.png")
    monkeypatch.setattr(limits, "MAX_BYTES", 6 * SIDE * SIDE)

    assert read_image(tmp_path / "colour.png").shape == (SIDE, SIDE, 3)
    with pytest.raises(ReadError, match="GiB"):  # three bytes a pixel become four more
        read_mask(tmp_path / "colour.png")
    monkeypatch.setattr(limits, "MAX_BYTES", 8 * SIDE * SIDE)
    assert read_mask(tmp_path / "colour.png").values.dtype == np.uint32


@pytest.mark.parametrize("shape", [(1, 5, 3), (5, 1, 3), (37, 41, 2), (1, 1, 1)])
def test_bands_cover_each_pixel_once(shape, monkeypatch):
    monkeypatch.setattr(limits, "_BAND", 7)
    seen = np.zeros(shape, int)
    for band in bands(seen):
        seen[band] += 1

    assert (seen == 1).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", "bool"])
@pytest.mark.parametrize("bits", [1, 8])
@given(height=st.integers(1, 9), width=st.integers(1, 9), inverted=st.booleans())
def test_an_image_made_in_bands_is_the_one_made_at_once(dtype, bits, height, width, inverted):
    if dtype != "uint8" and (bits < 8 or inverted):
        return
    values = (np.random.default_rng(height * 10 + width).integers(0, 2**bits, (height, width, 3))).astype(dtype)
    picture = stored.Stored(height, width, 3, dtype, lambda: values.copy(), bits=bits, inverted=inverted)
    whole = stored.image_of(picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "_BAND", 4)
        assert (stored.image_of(picture) == whole).all()
    slow = 2**bits - 1 - values if inverted else values
    assert (whole == slow * (255 if bits == 1 else 1)).all()


# ------------------------------------------------------------------------------- promises that the bytes cannot keep


@pytest.mark.parametrize("byte", [0, 255])
@pytest.mark.parametrize("kind", ["zlib", "lzw", "packbits", "zstd"])
def test_the_best_packed_picture_there_can_be_is_read(kind, byte, tmp_path):
    """One value everywhere packs best: no promise of such a file is called a lie."""
    array = np.full((1500, 2000), byte, np.uint8)
    level = {"compressionargs": {"level": 9}} if kind == "zlib" else {}
    tifffile.imwrite(
        tmp_path / "flat.tif", array, compression=kind, rowsperstrip=1500, photometric="minisblack", **level
    )
    Image.fromarray(array).save(tmp_path / "flat.png", compress_level=9)
    Image.fromarray(array).save(tmp_path / "flat.gif")
    Image.fromarray(array).save(tmp_path / "flat.jpg", quality=1, optimize=True, progressive=byte == 255)

    for name in ("flat.tif", "flat.png", "flat.gif"):
        assert (read_image(tmp_path / name) == byte).all()
    assert read_image(tmp_path / "flat.jpg").shape == (1500, 2000, 1)


def test_a_png_that_promises_what_it_cannot_hold_is_called_damaged(tmp_path, png_bytes):
    data = bytearray(png_bytes(np.zeros((20, 20, 1), np.uint8), 8, 0))
    data[16:24] = struct.pack(">II", 20_000, 20_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "liar.png").write_bytes(data)

    for read in (read_header, read_image, read_mask):
        with pytest.raises(ReadError, match=r"liar\.png promises 400,000,000 bytes of pixels, but .*damaged"):
            read(tmp_path / "liar.png")


@pytest.mark.parametrize("mode", ["JPEG", "GIF"])
def test_a_jpeg_and_a_gif_too(mode, tmp_path):
    memory = io.BytesIO()
    Image.new("L", (20, 20)).save(memory, mode)
    data = bytearray(memory.getvalue())
    if mode == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 30_000, 30_000)
    else:
        at = data.index(b"\x2c\0\0\0\0") + 5
        data[at : at + 4] = struct.pack("<HH", 30_000, 30_000)
    (tmp_path / "liar").write_bytes(data)

    with pytest.raises(ReadError, match="promises 900,000,000 bytes"):
        read_header(tmp_path / "liar")


@given(promised=st.integers(0, 10**9), packed=st.integers(0, 10**6), times=st.sampled_from([1, 1032]))
def test_a_promise_that_can_be_kept_is_believed(promised, packed, times):
    if promised <= packed * times:
        check_promise(promised, packed, times)
    elif promised > (packed + 64) * times:
        with pytest.raises(ReadError, match="damaged"):
            check_promise(promised, packed, times)


@pytest.mark.parametrize("count", [1, 3, 150])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_pages_in_a_ring_are_damage(count, bigtiff, tmp_path):
    path = tmp_path / "ring.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as writer:
        for _ in range(count):
            writer.write(np.zeros((4, 4), np.uint8), metadata=None)
    assert pages_in(path) == count
    with tifffile.TiffFile(path) as file:
        last, first, size = file.pages[-1], file.pages[0].offset, file.tiff.tagsize
        link = last.offset + file.tiff.tagnosize + size * len(last.tags)
        form = f"{file.byteorder}{file.tiff.offsetformat[-1]}"
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, link, first)
    path.write_bytes(data)

    for read in (read_image, pages_in):
        with pytest.raises(ReadError, match="ring"):
            read(path)


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2k", "png", "webp", "jpegxl", "jpegxr", "lerc", "ljpeg"])
@pytest.mark.parametrize("size", [(24, 33), (24, 24), (300, 200), (513, 40)])
def test_packed_pictures_say_their_size(codec, size):
    data = getattr(imagecodecs, f"{codec}_encode")(np.zeros((*size, 3) if codec != "ljpeg" else size, np.uint8))

    assert size_of(bytes(data)) == size
    assert size_of(bytes(data)[:4]) is None


def test_a_strip_that_is_a_larger_picture_than_its_place_is_damage(tmp_path):
    path = tmp_path / "bomb.tif"
    small, large = (imagecodecs.jpeg_encode(np.zeros((side, side), np.uint8)) for side in (16, 3000))
    tifffile.imwrite(path, iter([small]), shape=(16, 16), dtype="uint8", compression="jpeg", photometric="minisblack")
    assert read_image(path).shape == (16, 16, 1)
    tifffile.imwrite(path, iter([large]), shape=(16, 16), dtype="uint8", compression="jpeg", photometric="minisblack")

    with pytest.raises(ReadError, match="holds a picture of 3000×3000"):
        read_image(path)


def test_a_jpeg_of_scans_without_end_is_damage(tmp_path):
    memory = io.BytesIO()
    Image.new("RGB", (64, 64)).save(memory, "JPEG", progressive=True)
    data = memory.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    (tmp_path / "sound.jpg").write_bytes(data + b"\xff\xda" * 500)  # what follows the picture is no scan
    (tmp_path / "scans.jpg").write_bytes(data[:-2] + scan * 300 + data[-2:])

    assert read_image(tmp_path / "sound.jpg").shape == (64, 64, 3)
    with pytest.raises(ReadError, match="scans"):
        read_image(tmp_path / "scans.jpg")
