import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.files import read_alpha, read_image, write_image


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_offered_apart_from_the_colours(kind, mode, tmp_path, paint):
    picture = Image.fromarray(paint(9, 11, 4))
    picture = picture.convert("LA") if mode == "LA" else picture
    picture.save(tmp_path / "a", kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))

    np.testing.assert_array_equal(read_alpha(tmp_path / "a"), np.array(picture.getchannel("A")), strict=True)
    assert read_image(tmp_path / "a").shape[2] in (1, 3)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_what_is_opaque_has_none(name, tmp_path, paint):
    assert read_alpha(write_image(tmp_path / name, paint(4, 5, 3))) is None


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_one_colour_that_shines_through_is_alpha(mode, tmp_path):
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[2:4, 1:5] = 255
    picture = Image.fromarray(colours).convert(mode)
    through = {"L": 255, "RGB": (255, 255, 255), "P": picture.getpixel((1, 2)), "1": 1}[mode]
    picture.save(tmp_path / "a.png", transparency=through)

    expected = np.full((6, 8), 255)
    expected[2:4, 1:5] = 0
    np.testing.assert_array_equal(read_alpha(tmp_path / "a.png"), expected)


def test_few_greys_one_of_which_shines_through(tmp_path, png_bytes):
    samples = np.arange(12).reshape(3, 4, 1) % 4
    (tmp_path / "a.png").write_bytes(png_bytes(samples, 2, 0, before=[(b"tRNS", b"\0\2")]))

    np.testing.assert_array_equal(read_alpha(tmp_path / "a.png"), np.where(samples[:, :, 0] == 2, 0, 255))


def test_alpha_of_a_palette_is_that_of_its_entries(tmp_path):
    picture = Image.new("P", (3, 1))
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.putdata([0, 1, 2])
    picture.save(tmp_path / "a.png", transparency=bytes([0, 100]))
    picture.save(tmp_path / "a.gif", transparency=1)

    assert read_alpha(tmp_path / "a.png").tolist() == [[0, 100, 255]]
    assert read_alpha(tmp_path / "a.gif").tolist() == [[255, 0, 255]]


def test_a_damaged_list_of_what_shines_through_hides_no_picture(tmp_path, png_bytes):
    (tmp_path / "a.png").write_bytes(png_bytes(np.zeros((2, 2, 3), int), 8, 2, before=[(b"tRNS", b"\0\2\3")]))

    assert read_alpha(tmp_path / "a.png") is None
    assert read_image(tmp_path / "a.png").shape == (2, 2, 3)


def test_alpha_of_16_bits_and_of_floats_is_told_in_8(tmp_path):
    for dtype, top in (("uint16", 65535), ("float32", 1)):
        array = np.zeros((1, 3, 4), dtype)
        array[0, :, 3] = [0, top / 2, top]
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unassalpha"])
        assert read_alpha(tmp_path / "a.tif")[0, [0, 2]].tolist() == [0, 255]
        assert abs(int(read_alpha(tmp_path / "a.tif")[0, 1]) - 127.5) < 1


def test_alpha_is_turned_with_the_picture(tmp_path, paint):
    picture = Image.fromarray(paint(4, 6, 4))
    exif = Image.Exif()
    exif[274] = 6
    picture.save(tmp_path / "a.png", exif=exif)

    np.testing.assert_array_equal(read_alpha(tmp_path / "a.png"), np.rot90(np.array(picture)[:, :, 3], -1))
