import io
import struct
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFile

from maskwright.errors import ReadError
from maskwright.files import Stored, opening, pages_in, read_header, read_image, read_mask, readers

READS = [read_image, read_mask, read_header]


def encoded(kind, mode="RGB", **options):
    memory = io.BytesIO()
    picture = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(picture).convert(mode).save(memory, kind, **options)
    return memory.getvalue()


def tiff(**options):
    memory = io.BytesIO()
    picture = np.random.default_rng(0).integers(0, 2000, (40, 50), dtype=np.uint16)
    tifffile.imwrite(memory, picture, **options)
    return memory.getvalue()


WHOLE = {
    "png": encoded("PNG"),
    "png-palette": encoded("PNG", "P"),
    "jpeg": encoded("JPEG"),
    "jpeg-progressive": encoded("JPEG", progressive=True),
    "jpeg-cmyk": encoded("JPEG", "CMYK"),
    "bmp": encoded("BMP"),
    "gif": encoded("GIF"),
    "webp": encoded("WEBP"),
    "tiff-by-pillow": encoded("TIFF", compression="tiff_lzw"),
    "tiff": tiff(photometric="minisblack"),
    "tiff-strips": tiff(photometric="minisblack", rowsperstrip=7, compression="lzw"),
    "tiff-tiles": tiff(photometric="minisblack", tile=(16, 16), compression="zlib", predictor=True),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("kind", WHOLE)
def test_the_name_of_a_file_says_nothing_of_its_kind(read, kind, tmp_path):
    (tmp_path / "right").write_bytes(WHOLE[kind])
    (tmp_path / "wrong.png").write_bytes(WHOLE[kind])
    (tmp_path / "wrong.tif").write_bytes(WHOLE[kind])

    for name in ("wrong.png", "wrong.tif"):
        if read is read_header:
            assert read_header(tmp_path / name) == read_header(tmp_path / "right")
        else:
            np.testing.assert_array_equal(
                getattr(read(tmp_path / name), "values", read(tmp_path / name)),
                getattr(read(tmp_path / "right"), "values", read(tmp_path / "right")),
            )


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("part", [0.01, 0.1, 0.3, 0.5, 0.75, 0.9, 0.98])
def test_a_file_cut_short_is_told_by_name(kind, part, tmp_path):
    path = tmp_path / "half an image.png"
    path.write_bytes(WHOLE[kind][: max(9, int(len(WHOLE[kind]) * part))])

    for read in (read_image, read_mask):
        with pytest.raises(ReadError, match="half an image") as caught:
            read(path)
        assert "again" in str(caught.value) or "Check whether" in str(caught.value) or "Export" in str(caught.value)


@pytest.mark.parametrize("kind", WHOLE)
def test_wherever_a_file_is_cut_it_is_an_error_or_whole(kind, tmp_path):
    path = tmp_path / "cut"
    path.write_bytes(WHOLE[kind])
    whole = read_image(path)
    size = len(WHOLE[kind])

    for length in sorted({*range(0, size, 97), *range(size - 30, size)}):
        path.write_bytes(WHOLE[kind][:length])
        try:
            image = read_image(path)
        except ReadError as error:
            assert str(path) in str(error)  # noqa: PT017 - it need not be raised
        else:
            np.testing.assert_array_equal(image, whole)


@pytest.mark.parametrize("kind", WHOLE)
def test_noise_in_a_file_is_never_an_error_of_another_kind(kind, tmp_path):
    noise = np.random.default_rng(1)
    path = tmp_path / "damaged"
    for _ in range(40):
        data = bytearray(WHOLE[kind])
        # The first bytes hold what is believed most: sizes, depths, offsets.
        for place in noise.integers(4, [len(data), 200, 60], 3):
            data[place] = noise.integers(256)
        path.write_bytes(data)
        for read in READS:
            try:
                read(path)
            except ReadError as error:
                assert str(path) in str(error)  # noqa: PT017 - it need not be raised


@pytest.mark.parametrize("kind", ["png", "png-palette"])
def test_a_damaged_png_is_never_read_as_other_pixels(kind, tmp_path):
    path = tmp_path / "damaged.png"
    path.write_bytes(WHOLE[kind])
    start = WHOLE[kind].index(b"IDAT") + 4
    for place in range(start, len(WHOLE[kind]) - 16, 211):
        data = bytearray(WHOLE[kind])
        data[place] ^= 0x55
        path.write_bytes(data)
        with pytest.raises(ReadError, match="damaged"):
            read_image(path)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (b"x,y\n1,2\n", "holds text"),
        ("Größe: 3 µm".encode(), "holds text"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"%PDF-1.7", "PDF"),
        (b'<VRTDataset rasterXSize="20">', "gdal_translate"),
        (b"\x00\x01\x02\x03\x04", "Export it as PNG"),
        (b"BM is how this sentence begins, and it goes on.", "holds text"),
    ],
)
def test_what_is_no_image_is_told_with_a_remedy(read, content, says, tmp_path):
    path = tmp_path / "notes.png"
    path.write_bytes(content)

    with pytest.raises(ReadError) as caught:
        read(path)

    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("read", READS)
def test_a_missing_file_and_a_folder_are_told(read, tmp_path):
    with pytest.raises(ReadError, match=r"nothing\.png does not exist"):
        read(tmp_path / "nothing.png")
    with pytest.raises(ReadError, match="is a folder; one image file"):
        read(tmp_path)
    with pytest.raises(ReadError, match=r"nothing\.png"):
        read(tmp_path / "nothing.png" / "below")


def test_a_path_may_be_a_string(tmp_path):
    (tmp_path / "image.png").write_bytes(WHOLE["png"])

    assert read_image(str(tmp_path / "image.png")).shape == (40, 50, 3)


@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("kind", ["png", "tiff", "jpeg", "bmp", "gif"])
def test_too_many_pixels_are_refused_before_they_are_decoded(read, kind, tmp_path, monkeypatch):
    (tmp_path / "huge").write_bytes(WHOLE[kind])
    monkeypatch.setattr(opening, "MAX_PIXELS", 1999)

    with pytest.raises(ReadError, match=r"huge says that it holds 50×40 pixels; at most 1,999"):
        read(tmp_path / "huge")
    assert read_header(tmp_path / "huge").width == 50


def test_a_size_that_cannot_be_true_is_refused(tmp_path):
    data = bytearray(WHOLE["bmp"])
    data[18:26] = struct.pack("<II", 2**31 - 1, 2**31 - 1)
    (tmp_path / "absurd.bmp").write_bytes(data)

    with pytest.raises(ReadError, match=r"absurd\.bmp"):
        read_image(tmp_path / "absurd.bmp")


def test_pillows_own_limit_and_leniency_stay_as_the_user_set_them(tmp_path, monkeypatch):
    (tmp_path / "image.bmp").write_bytes(WHOLE["bmp"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Image.open would warn: an error in these tests

    assert read_image(tmp_path / "image.bmp").shape == (40, 50, 3)
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize("stop", [MemoryError, KeyboardInterrupt])
def test_running_out_of_memory_or_patience_is_not_called_damage(stop, tmp_path, monkeypatch):
    (tmp_path / "image.tif").write_bytes(WHOLE["tiff"])

    def give_up(*args, **kwargs):
        raise stop

    monkeypatch.setattr(tifffile.TiffPage, "asarray", give_up)
    with pytest.raises(stop):
        read_image(tmp_path / "image.tif")


def test_a_users_own_reader_is_asked_too(tmp_path, monkeypatch):
    class Digits:
        """Rows of digits: the shortest format one can think of."""

        suffixes = (".digits",)

        @staticmethod
        def recognises(head):
            return head.startswith(b"digits")

        @staticmethod
        def open(file):
            rows = file.read().split()[1:]
            if len(set(map(len, rows))) != 1:
                raise ReadError("has rows of unequal length. Fill them up.")
            values = np.array([list(row) for row in rows], np.uint8)[:, :, None] - ord("0")
            return Stored(*values.shape, "uint8", lambda: values, orientation=2)

    readers.names()  # fill the list first, so that what is put back is all of it
    monkeypatch.setattr(readers, "_parts", dict(readers.items()))
    readers.register("digits")(Digits)
    (tmp_path / "image").write_bytes(b"digits 123 456")
    (tmp_path / "bad").write_bytes(b"digits 123 45")

    assert read_image(tmp_path / "image").tolist() == [[[3], [2], [1]], [[6], [5], [4]]]
    assert read_mask(tmp_path / "image").values.tolist() == [[3, 2, 1], [6, 5, 4]]
    with pytest.raises(ReadError, match="bad has rows of unequal length"):
        read_image(tmp_path / "bad")


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_is_no_stack_has_one_page(kind, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(WHOLE[kind])

    assert pages_in(path) == 1
    np.testing.assert_array_equal(read_image(path, page=0), read_image(path))
    with pytest.raises(ReadError, match=r"image, page 1, is not there"):
        read_image(path, page=1)


def test_pages_of_what_is_no_picture_are_not_counted(tmp_path):
    (tmp_path / "notes.tif").write_text("no picture at all")

    with pytest.raises(ReadError, match=r"notes\.tif holds text"):
        pages_in(tmp_path / "notes.tif")
    with pytest.raises(ReadError, match=r"lost\.tif does not exist"):
        pages_in(tmp_path / "lost.tif")


def test_importing_the_floor_loads_no_library_of_formats():
    """The command line must answer `--help` at once."""
    code = "import sys, maskwright.files; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"PIL", "tifffile", "imagecodecs", "torch"} & set(loaded)
