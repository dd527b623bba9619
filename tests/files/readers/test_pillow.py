import struct

import numpy as np
import pytest
from PIL import Image

from maskwright.errors import ReadError
from maskwright.files import Header, MaskStyle, read_header, read_image, read_mask


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_is_refused_with_a_remedy(kind, tmp_path, paint):
    frames = [Image.fromarray(paint(8, 8 + n)[:, :8]) for n in range(3)]
    frames[0].save(tmp_path / "film", kind, save_all=True, append_images=frames[1:])

    for read in (read_image, read_mask, read_header):
        with pytest.raises(ReadError, match=r"film is an animation of 3 frames.*Save each frame"):
            read(tmp_path / "film")


def test_a_grey_gif_has_one_channel(tmp_path, paint):
    picture = paint(6, 5)
    Image.fromarray(picture).save(tmp_path / "image.gif")

    np.testing.assert_array_equal(read_image(tmp_path / "image.gif")[:, :, 0], picture)
    assert read_header(tmp_path / "image.gif") == Header(6, 5, 1, "uint8")


@pytest.mark.parametrize("kind", ["GIF", "BMP"])
@pytest.mark.parametrize("greys", [[0, 255], [255, 0], [255], [0], [7, 0, 255, 3]])
def test_greys_are_greys_however_a_file_numbers_them(kind, greys, tmp_path):
    picture = Image.fromarray(np.arange(len(greys), dtype=np.uint8)[None]).convert("P")
    picture.putpalette([grey for grey in greys for _ in range(3)])
    picture.save(tmp_path / "mask", kind)

    mask = read_mask(tmp_path / "mask")

    assert mask.values.tolist() == [greys]
    assert read_image(tmp_path / "mask").ravel().tolist() == greys
    assert mask.style == MaskStyle() or greys == [0]


def test_indices_that_look_alike_are_told_apart(tmp_path):
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    picture.putpalette([0] * 768)
    picture.save(tmp_path / "mask.bmp")

    assert read_mask(tmp_path / "mask.bmp").values.tolist() == [[0, 1, 2]]


def test_bmp_with_alpha_and_upside_down_is_read(tmp_path, paint):
    picture = paint(5, 6, 4)
    Image.fromarray(picture).save(tmp_path / "image.bmp")

    np.testing.assert_array_equal(read_image(tmp_path / "image.bmp"), picture[:, :, :3])


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("greys", [[0, 255], [0, 1], list(range(16))])
def test_a_bmp_keeps_its_bits_whatever_its_greys(bits, greys, tmp_path):
    """Written by hand: Pillow reads 8 bits as 1 where the palette is black and white."""
    index = np.array([0, 1, 1, 0, len(greys) - 1]) % 2**bits
    greys = greys[: 2**bits]
    digits = np.unpackbits(index.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    row = np.packbits(digits.ravel()).tobytes().ljust(8, b"\0")
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in greys)
    info = struct.pack("<IiiHHIIiiII", 40, 5, 1, 1, bits, 0, 0, 0, 0, len(greys), 0)
    start = 14 + len(info) + len(palette)
    data = b"BM" + struct.pack("<IHHI", start + len(row), 0, 0, start) + info + palette + row
    (tmp_path / "image.bmp").write_bytes(data)

    assert read_image(tmp_path / "image.bmp").ravel().tolist() == [greys[n] for n in index]
    assert read_mask(tmp_path / "image.bmp").values.ravel().tolist() == [greys[n] for n in index]
    assert read_header(tmp_path / "image.bmp") == Header(1, 5, 1, "uint8")
