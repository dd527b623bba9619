"""A scene's windows are parts of the image that is read whole."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.errors import ReadError
from maskwright.files import ArrayScene, open_scene, read_georeference, read_image, valid_pixels

WINDOW = slice(3, 11), slice(5, 17)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (20, 30, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    tifffile.imwrite(tmp_path / "tiled.tif", rgb, tile=(16, 16), compression="zlib", photometric="rgb")
    floats = rng.normal(size=(20, 30)).astype(np.float32)
    floats[4:8, 6:9] = -9999
    place = [(33550, "d", 3, (2.0, 2.0, 0.0)), (33922, "d", 6, (0, 0, 0, 100.0, 200.0, 0))]
    tifffile.imwrite(tmp_path / "map.tif", floats, extratags=[(42113, "s", 0, "-9999", True), *place])
    turned = Image.fromarray(rgb)
    exif = turned.getexif()
    exif[274] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    tifffile.imwrite(tmp_path / "turned.tif", rgb, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    return sorted(tmp_path.iterdir())


def test_a_window_is_a_part_of_the_whole(files):
    for path in files:
        whole, valid = read_image(path), valid_pixels(path)
        with open_scene(path) as scene:
            assert (scene.header.height, scene.header.width, scene.header.channels) == whole.shape
            assert scene.header.dtype == str(whole.dtype)
            assert scene.georeference == read_georeference(path)
            assert np.array_equal(scene.read(*WINDOW), whole[WINDOW]), path
            window, counts = scene.read_valid(*WINDOW)
            assert np.array_equal(window, whole[WINDOW])
            assert (counts is None) == (valid is None)
            if valid is not None:
                assert np.array_equal(counts, valid[WINDOW])
                assert 0 < counts.sum() < counts.size


def test_an_array_is_a_scene_too():
    grey = np.arange(12, dtype=np.uint16).reshape(3, 4)
    scene = ArrayScene(grey)
    assert (scene.header.height, scene.header.width, scene.header.channels, scene.header.dtype) == (3, 4, 1, "uint16")
    assert np.array_equal(scene.read(slice(1, 2), slice(0, 4)), grey[1:2, :, None])


def test_what_does_not_open_is_named(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*\0" + bytes(20))
    with pytest.raises(ReadError, match=r"broken\.tif"), open_scene(tmp_path / "broken.tif"):
        pass


def test_an_error_in_the_block_is_the_callers_own_and_one_of_the_file_names_it(files, tmp_path):
    for path in files:
        with pytest.raises(ZeroDivisionError), open_scene(path):
            raise ZeroDivisionError
    tiled = tmp_path / "tiled.tif"
    with tifffile.TiffFile(tiled) as file:
        start, length = file.pages[0].dataoffsets[1], file.pages[0].databytecounts[1]
    data = bytearray(tiled.read_bytes())
    data[start : start + length] = bytes(length)
    tiled.write_bytes(data)
    with open_scene(tiled) as scene:
        scene.read(slice(0, 16), slice(0, 16))
        with pytest.raises(ReadError, match=r"tiled\.tif cannot be read as the image it should be"):
            scene.read(slice(0, 20), slice(0, 30))
