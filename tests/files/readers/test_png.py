import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from maskwright.errors import ReadError
from maskwright.files import Header, read_header, read_image, read_mask

KINDS = {0: 1, 2: 3, 4: 2, 6: 4}  # of colour: grey, RGB, and both with alpha


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_every_colour_and_depth_is_read(bits, kind, tmp_path, paint, png_bytes):
    samples = paint(6, 7, KINDS[kind], dtype=f"uint{bits}")
    (tmp_path / "image.png").write_bytes(png_bytes(samples, bits, kind))
    colours = samples[:, :, : 1 if KINDS[kind] < 3 else 3]

    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), colours, strict=True)
    assert read_header(tmp_path / "image.png") == Header(*colours.shape, f"uint{bits}")


@pytest.mark.parametrize(("bits", "stretch"), [(1, 255), (2, 85), (4, 17)])
def test_few_bits_are_seen_from_black_to_white(bits, stretch, tmp_path, png_bytes):
    samples = np.arange(2**bits).reshape(1, -1, 1)
    (tmp_path / "image.png").write_bytes(png_bytes(samples, bits, 0))

    np.testing.assert_array_equal(read_image(tmp_path / "image.png"), (samples * stretch).astype(np.uint8), strict=True)
    assert read_header(tmp_path / "image.png") == Header(1, 2**bits, 1, "uint8")


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_of_few_bits_is_read(bits, tmp_path, png_bytes):
    palette = np.array([[255, 0, 0], [0, 9, 0]], np.uint8)
    index = np.array([[0, 1, 1, 0, 1]])[:, :, None]
    data = png_bytes(index, bits, 3, before=[(b"PLTE", palette.tobytes()), (b"tRNS", b"\x00")])
    (tmp_path / "image.png").write_bytes(data)

    assert read_image(tmp_path / "image.png").tolist() == palette[index[:, :, 0]].tolist()
    assert read_mask(tmp_path / "image.png").values.tolist() == index[:, :, 0].tolist()
    assert read_mask(tmp_path / "image.png").style.palette == ((255, 0, 0), (0, 9, 0))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour_is_a_colour_all_the_same(bits, tmp_path, png_bytes):
    samples = np.array([[[5], [6]]])
    (tmp_path / "image.png").write_bytes(png_bytes(samples, bits, 0, before=[(b"tRNS", b"\0\5")]))

    assert read_image(tmp_path / "image.png").tolist() == samples.tolist()


def test_an_unsound_colour_profile_is_no_reason_to_complain(tmp_path, png_bytes):
    """A library that complains does so past Python, and perhaps not before the process ends."""
    path = tmp_path / "image.png"
    path.write_bytes(png_bytes(np.zeros((2, 2, 1)), 8, 0, before=[(b"iCCP", b"sRGB\0\0nonsense")]))
    code = "import sys; from maskwright.files import read_image; print(read_image(sys.argv[1]).shape)"

    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)

    assert (result.stdout, result.stderr) == ("(2, 2, 1)\n", "")


def test_interlaced_png_is_read(tmp_path):
    """The only interlaced picture we can paint by hand is one whose seven passes are a single pixel."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 1)),
        (b"IDAT", zlib.compress(b"\0\x2a")),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    (tmp_path / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))

    assert read_image(tmp_path / "image.png").tolist() == [[[42]]]


def test_an_animated_png_is_refused_with_a_remedy(tmp_path, paint):
    frames = [Image.fromarray(paint(4, 4 + n)[:, :4]) for n in range(3)]
    frames[0].save(tmp_path / "film.png", save_all=True, append_images=frames[1:])

    with pytest.raises(ReadError, match=r"film\.png is an animation of 3 frames.*Save each frame"):
        read_image(tmp_path / "film.png")


@pytest.mark.parametrize("cut", [1, 5, 9, 12, 20])
def test_a_png_without_its_end_is_cut_short(cut, tmp_path, png_bytes):
    (tmp_path / "image.png").write_bytes(png_bytes(np.zeros((2, 2, 1)), 8, 0)[:-cut])

    for read in (read_image, read_header):
        with pytest.raises(ReadError, match="cut short: its end"):
            read(tmp_path / "image.png")
