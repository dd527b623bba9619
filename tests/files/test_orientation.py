import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskwright.files import Header, read_header, read_image, read_mask
from maskwright.files.orientation import orientation_in, sound, swaps_sides, upright

# The words of the EXIF standard: on which side of the seen picture stored row 0 lies, and stored column 0.
SIDES = {
    1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
    5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
}  # fmt: skip


def turned_slowly(stored, orientation):
    """The twin of `upright`: each pixel put, one by one, where the words of the standard say."""
    height, width = stored.shape[:2]
    sides = SIDES[orientation]
    seen = np.zeros((width, height) if sides[0] in ("left", "right") else (height, width), stored.dtype)
    for row in range(height):
        for column in range(width):
            place = {}
            for side, distance in zip(sides, (row, column), strict=True):
                axis = 0 if side in ("top", "bottom") else 1
                place[axis] = distance if side in ("top", "left") else seen.shape[axis] - 1 - distance
            seen[place[0], place[1]] = stored[row, column]
    return seen


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("shape", [(3, 5), (1, 4), (4, 1), (1, 1)])
def test_upright_puts_each_pixel_where_the_standard_says(orientation, shape, paint):
    stored = paint(*shape)

    np.testing.assert_array_equal(upright(stored, orientation), turned_slowly(stored, orientation))
    assert swaps_sides(orientation) == (SIDES[orientation][0] in ("left", "right"))


@pytest.mark.parametrize("orientation", SIDES)
def test_png_image_mask_and_header_are_upright(orientation, tmp_path, paint, exif_bytes):
    stored = paint(3, 5)
    path = tmp_path / "held sideways.png"
    Image.fromarray(stored).save(path, exif=exif_bytes(orientation))
    expected = turned_slowly(stored, orientation)

    np.testing.assert_array_equal(read_image(path)[:, :, 0], expected)
    np.testing.assert_array_equal(read_mask(path).values, expected)
    assert read_header(path) == Header(*expected.shape, 1, "uint8")


@pytest.mark.parametrize("orientation", SIDES)
def test_an_orientation_behind_the_pixels_counts_too(orientation, tmp_path, paint, png_bytes, exif_bytes):
    stored = paint(3, 5, 3, dtype="uint16")
    path = tmp_path / "deep.png"
    path.write_bytes(png_bytes(stored, 16, 2, after=[(b"eXIf", exif_bytes(orientation))]))

    image = read_image(path)

    np.testing.assert_array_equal(image[:, :, 1], turned_slowly(stored[:, :, 1], orientation))
    assert (read_header(path).height, read_header(path).width) == image.shape[:2]


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_photographs_are_upright(orientation, kind, tmp_path, exif_bytes):
    stored = np.zeros((16, 32, 3), np.uint8)
    stored[:8, :8] = 255  # one white corner survives any compression
    path = tmp_path / "photograph"
    Image.fromarray(stored).save(path, kind, exif=b"Exif\0\0" + exif_bytes(orientation), quality=95)

    image = read_image(path)

    white = turned_slowly(stored[:, :, 0], orientation)
    np.testing.assert_array_equal(image[4::8, 4::8, 0] > 128, white[4::8, 4::8] > 128)
    assert image.shape == (*white.shape, 3)
    assert read_header(path) == Header(*white.shape, 3, "uint8")


@pytest.mark.parametrize("orientation", SIDES)
def test_tiff_is_upright(orientation, tmp_path, paint):
    stored = paint(3, 5)
    path = tmp_path / "scan.tif"
    Image.fromarray(stored).save(path, tiffinfo={274: orientation})

    np.testing.assert_array_equal(read_image(path)[:, :, 0], turned_slowly(stored, orientation))
    assert read_header(path) == Header(*turned_slowly(stored, orientation).shape, 1, "uint8")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_the_orientation_is_found_in_either_byte_order(order, kind, prefix, exif_bytes):
    assert [orientation_in(prefix + exif_bytes(n, order, kind)) for n in SIDES] == list(SIDES)


def test_the_orientation_that_pillow_writes_is_found():
    exif = Image.Exif()
    exif[271], exif[274], exif[305] = "camera", 6, "software"

    assert orientation_in(exif.tobytes()) == 6


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_what_is_no_orientation_counts_as_upright(value, exif_bytes):
    assert orientation_in(exif_bytes(value)) == 1
    assert sound("6") == sound(None) == 1


@given(st.binary(max_size=60), st.sampled_from([b"", b"Exif\0\0II*\0", b"MM\0*\0\0\0\x08\0\x01\x01\x12"]))
def test_damaged_exif_counts_as_some_orientation(noise, start):
    assert orientation_in(start + noise) in SIDES


def test_damaged_exif_spoils_no_photograph(tmp_path, paint):
    """Pillow warns of it, and warnings are errors here."""
    path = tmp_path / "photograph.jpg"
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x05\0\0\0\x09\xff\xff\xff\xff"
    memory = io.BytesIO()
    Image.fromarray(paint(8, 8)).save(memory, "JPEG")
    data = memory.getvalue()
    # Without the first segment, JFIF, Pillow looks for the resolution in the EXIF.
    jfif = 4 + int.from_bytes(data[4:6], "big")
    segment = b"\xff\xe1" + (len(damaged) + 2).to_bytes(2, "big") + damaged
    path.write_bytes(data[:2] + segment + data[jfif:])

    assert read_image(path).shape == (8, 8, 1)
