import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from maskwright.errors import SettingError
from maskwright.files import Header, read_header, read_image, write_image


def assert_reads_as(path, expected):
    image = read_image(path)
    np.testing.assert_array_equal(image, expected, strict=True)
    assert read_header(path) == Header(*expected.shape, expected.dtype.name)
    assert image.flags.c_contiguous
    assert image.flags.writeable
    assert image.dtype.isnative


MODES = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3, "P": 3, "1": 1}
FORMATS = {
    ("PNG", ""): MODES, ("TIFF", ""): MODES, ("TIFF", "tiff_lzw"): MODES, ("TIFF", "packbits"): MODES,
    ("TIFF", "tiff_adobe_deflate"): MODES, ("BMP", ""): ["L", "RGB", "P", "1"], ("GIF", ""): ["L", "P"],
    ("WEBP", ""): ["RGB", "RGBA"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "compression", "mode"), [(*kind, mode) for kind, modes in FORMATS.items() for mode in modes]
)
@pytest.mark.parametrize("size", [(23, 17), (1, 9), (9, 1), (1, 1)])
def test_every_format_gives_the_painted_values(kind, compression, mode, size, tmp_path, paint):
    picture = Image.fromarray(paint(*size, 4)).convert("RGB" if mode in ("P", "1") else mode).convert(mode)
    seen = np.array(picture.convert({"P": "RGB", "1": "L"}.get(mode, mode)))
    expected = seen.reshape(*size, -1)[:, :, : MODES[mode]]
    path = tmp_path / "picture"
    picture.save(path, kind, lossless=True, exact=True, **({"compression": compression} if compression else {}))

    assert_reads_as(path, np.ascontiguousarray(expected))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}])
def test_jpeg_gives_what_pillow_decodes(mode, options, tmp_path, paint):
    path = tmp_path / "photograph.jpg"
    Image.fromarray(paint(19, 33, 3)).convert(mode).save(path, **options)
    with Image.open(path) as picture:
        expected = np.array(picture if mode == "L" else picture.convert("RGB")).reshape(19, 33, -1)

    assert_reads_as(path, expected)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1), (7, 5, 3), (1, 6), (6, 1, 3), (1, 1), (2, 3, 3), (3, 3, 1)])
def test_a_written_image_reads_back_exactly(suffix, dtype, shape, tmp_path, paint):
    array = paint(*shape, dtype=dtype)

    path = write_image(tmp_path / f"new folder/image{suffix}", array)

    assert_reads_as(path, array.reshape(*shape[:2], -1))


@given(
    array=hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(width=32)),
    colours=st.booleans(),
)
def test_floats_read_back_exactly(array, colours, tmp_path_factory):
    array = np.stack([array] * 3, axis=2) if colours else array[:, :, None]

    path = write_image(tmp_path_factory.mktemp("floats") / "image.tif", array)

    np.testing.assert_array_equal(read_image(path), array, strict=True)


@pytest.mark.parametrize("array", [np.zeros((4, 6), np.uint16), np.full((4, 6, 3), 7, np.uint8)])
def test_other_programs_read_what_was_written(array, tmp_path):
    with Image.open(write_image(tmp_path / "image.png", array)) as picture:
        np.testing.assert_array_equal(np.array(picture), array)
    np.testing.assert_array_equal(tifffile.imread(write_image(tmp_path / "image.tif", array)), array)


def test_a_non_contiguous_image_is_written_as_it_is_seen(tmp_path, paint):
    array = paint(8, 6, 3)[::2, ::-1]

    np.testing.assert_array_equal(read_image(write_image(tmp_path / "image.png", array)), array)


def test_jpeg_is_written_nearly_as_it_was(tmp_path):
    array = np.full((16, 16, 3), (200, 100, 50), np.uint8)

    image = read_image(write_image(tmp_path / "image.JPG", array))

    np.testing.assert_allclose(image.astype(int), array, atol=3)


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("image.jpg", np.zeros((2, 2), np.uint16), "uint8"),
        ("image.png", np.zeros((2, 2), np.float32), "choose .tif"),
        ("image.png", np.zeros((2, 2), np.int64), "int64"),
        ("image.gif", np.zeros((2, 2), np.uint8), ".png, .tif"),
        ("image", np.zeros((2, 2), np.uint8), ".png, .tif"),
        ("image.png", np.zeros((2, 2, 4), np.uint8), "(2, 2, 4)"),
        ("image.png", np.zeros((0, 2), np.uint8), "(0, 2)"),
        ("image.png", np.zeros(5, np.uint8), "(5,)"),
    ],
)
def test_what_a_format_cannot_hold_is_told_before_anything_is_written(name, array, says, tmp_path):
    with pytest.raises(SettingError) as caught:
        write_image(tmp_path / name, array)

    assert says in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_old_image_stays_if_the_new_one_cannot_be_written(tmp_path, monkeypatch, paint):
    old = paint(4, 4)
    path = write_image(tmp_path / "image.tif", old)

    def full_disk(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_image(path, paint(5, 5))

    np.testing.assert_array_equal(read_image(path)[:, :, 0], old)
    assert list(tmp_path.iterdir()) == [path]
