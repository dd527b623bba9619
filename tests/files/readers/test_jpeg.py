import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from maskwright.files import read_header, read_image


def jpeg(picture, **options):
    memory = io.BytesIO()
    picture.save(memory, "JPEG", **options)
    return memory.getvalue()


@pytest.mark.parametrize("shape", [(24, 40), (24, 40, 3)])
@pytest.mark.parametrize("tail", [b"", b"\0" * 300])
def test_the_fast_way_and_the_careful_way_give_the_same(shape, tail, tmp_path, paint):
    data = jpeg(Image.fromarray(paint(*shape)))
    (tmp_path / "image.jpg").write_bytes(data + tail)

    expected = np.array(Image.open(io.BytesIO(data))).reshape(*shape[:2], -1)
    np.testing.assert_array_equal(read_image(tmp_path / "image.jpg"), expected, strict=True)


def test_a_sound_jpeg_takes_the_fast_way(tmp_path, paint, monkeypatch):
    (tmp_path / "image.jpg").write_bytes(jpeg(Image.fromarray(paint(8, 8, 3))))
    calls = []
    decode = imagecodecs.jpeg8_decode
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", lambda data: calls.append(len(data)) or decode(data))

    read_image(tmp_path / "image.jpg")

    assert len(calls) == 1


def test_the_header_is_read_without_decoding(tmp_path, paint, monkeypatch):
    (tmp_path / "image.jpg").write_bytes(jpeg(Image.fromarray(paint(8, 8, 3))))
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr(imagecodecs, "jpeg8_decode", lambda data: pytest.fail("decoded"))

    assert read_header(tmp_path / "image.jpg").channels == 3


def test_of_a_cameras_file_with_previews_the_picture_is_read(tmp_path, paint):
    picture, preview = Image.fromarray(paint(32, 32, 3)), Image.fromarray(paint(8, 8, 3))
    picture.save(tmp_path / "camera.jpg", "MPO", save_all=True, append_images=[preview])

    assert read_image(tmp_path / "camera.jpg").shape == (32, 32, 3)


def test_inverted_print_colours_come_out_as_pillow_shows_them(tmp_path):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, :8, 0] = 255  # cyan: no red
    Image.frombytes("CMYK", (16, 16), inks.tobytes()).save(tmp_path / "print.jpg", quality=95)

    image = read_image(tmp_path / "print.jpg").astype(int)

    np.testing.assert_allclose(image[4, 2], (0, 255, 255), atol=4)
    np.testing.assert_allclose(image[4, 13], (255, 255, 255), atol=4)
