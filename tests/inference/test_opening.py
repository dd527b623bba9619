import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from tests.inference.painting import noise, predictor

from maskwright.errors import DataError, ReadError, SettingError
from maskwright.files import ArrayScene, read_image
from maskwright.inference.opening import opened


def read(image):
    with opened(image) as (scene, _):
        return scene.read(slice(0, scene.header.height), slice(0, scene.header.width))


@pytest.mark.parametrize("channels", [1, 3])
def test_whatever_holds_the_image_it_is_the_same(channels, tmp_path):
    image = noise(20, 30, channels)
    path = tmp_path / "image.png"
    Image.fromarray(image.squeeze()).save(path)
    tensor = torch.from_numpy(image).movedim(2, 0)
    ways = [path, str(path), image, tensor, Image.fromarray(image.squeeze()), Image.open(path), ArrayScene(image)]
    ways += [image[:, :, 0], tensor[0]] if channels == 1 else []

    for way in ways:
        np.testing.assert_array_equal(read(way), image)
    p = predictor(channels=channels)
    labels = p(image).labels
    assert all((p(way).labels == labels).all() for way in ways)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "F"])
def test_a_picture_of_pillow_s_is_what_its_file_would_give(mode, tmp_path):
    if mode in {"I;16", "F"}:
        picture = Image.fromarray(noise(20, 30).astype(np.uint16 if mode == "I;16" else np.float32) * 3)
    else:
        picture = Image.fromarray(noise(20, 30, 3)).convert(mode)
    path = tmp_path / "image.tif"
    picture.save(path)

    found = read(picture)

    np.testing.assert_array_equal(found, read_image(path), strict=True)


@pytest.mark.parametrize("what", [None, 7, [[1, 2], [3, 4]]])
def test_what_is_no_image_is_told(what):
    with pytest.raises(SettingError, match="An image is a path, an array H W or H W C"):
        predictor()(what)


def test_the_next_is_read_while_one_is_computed_and_answers_come_in_order(tmp_path):
    images = [noise(20 + n, 30, 1) for n in range(5)]
    paths = [tmp_path / f"{n}.tif" for n in range(5)]
    for path, image in zip(paths, images, strict=True):
        tifffile.imwrite(path, image[:, :, 0])
    p = predictor()

    found = list(p.map([*paths[:3], images[3], paths[4]], probabilities=True))

    assert [one.labels.shape[0] for one in found] == [20, 21, 22, 23, 24]
    for one, image in zip(found, images, strict=True):
        np.testing.assert_array_equal(one.probabilities, p(image, probabilities=True).probabilities)
    assert list(p.map([])) == []


def test_a_bad_file_among_many_is_told_when_its_turn_has_come(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    tifffile.imwrite(tmp_path / "other.tif", noise(9, 9).astype(np.float32))
    answers = predictor().map([noise(9, 9), tmp_path / "bad.png"])

    assert next(answers).labels.shape == (9, 9)
    with pytest.raises(ReadError, match=r"bad\.png"):
        next(answers)
    with pytest.raises(DataError, match=r"other\.tif holds float32"):
        list(predictor().map([tmp_path / "other.tif"]))
