from types import SimpleNamespace

import numpy as np
import pytest
import torch

from maskwright.data.preprocess import Preprocess
from maskwright.errors import DataError
from maskwright.familiar import learn
from maskwright.files import ArrayScene, write_image
from maskwright.inference import guard
from maskwright.model import UNet


def texture(seed, size=(160, 200), blotch=8):
    """A blotchy, skewed, bluish image, H W 3 uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.gamma(2.0, 0.5, [n // blotch + 2 for n in size])
    grey = np.kron(coarse, np.ones((blotch, blotch)))[: size[0], : size[1]] + rng.normal(0, 0.2, size)
    return np.clip(np.stack([40 + 25 * grey, 60 + 35 * grey, 90 + 45 * grey], axis=2), 0, 255).astype(np.uint8)


PREPROCESS = Preprocess(channels=3, dtype="uint8", mean=(65.0, 95.0, 135.0), std=(20.0, 28.0, 36.0))


@pytest.fixture(scope="module")
def model():
    """A network that has seen textures; all that the guard asks of a model."""
    torch.manual_seed(0)
    network = UNet(in_channels=3, classes=2, depth=2, base=4).eval().requires_grad_(False)
    known = learn(network, PREPROCESS, (ArrayScene(texture(seed)) for seed in range(30)))
    return SimpleNamespace(network=network, description=SimpleNamespace(preprocess=PREPROCESS, familiar=known))


def codes(model, image_HWC):
    return {found.code for found in guard.look(model, ArrayScene(image_HWC))}


def test_images_like_those_of_the_training_are_as_seldom_strange_as_is_said(model):
    strange = np.mean([bool(codes(model, texture(seed))) for seed in range(100, 160)])

    # The rate is a mean over many trainings; for one it is half as much again at most times.
    assert strange <= 1.5 * model.description.familiar.false_alarms


STRANGE = {
    "black": (lambda image: np.zeros_like(image), "values"),
    "inverted": (lambda image: 255 - image, "values"),
    "another order of channels": (lambda image: image[:, :, ::-1], "values"),
    "half as bright": (lambda image: image // 3, "values"),
    "overexposed": (lambda image: np.clip(image * 3.0, 0, 255).astype(np.uint8), "clipped"),
    "three times as large": (lambda image: np.kron(image, np.ones((3, 3, 1), np.uint8)), "scale"),
    "noise": (lambda image: np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8), "scale"),
    "a small cut": (lambda image: image[:40, :50], "size"),
    "grey": (lambda image: image[:, :, :1], "channels"),
    "two channels": (lambda image: image[:, :, :2], "channels"),
    "16 bit": (lambda image: image.astype(np.uint16) * 257, "dtype"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_image_is_told_and_as_what(model, kind):
    change, code = STRANGE[kind]

    assert code in codes(model, change(texture(200)))


def test_another_texture_is_strange_to_the_network(model):
    stripes = np.broadcast_to((np.arange(200) % 2 * 120 + 40)[None, :, None], (160, 200, 3)).astype(np.uint8)

    assert "content" in codes(model, stripes)


def test_what_is_told_has_the_numbers(model):
    (found,) = (one for one in guard.look(model, ArrayScene(texture(3) // 3)) if one.code == "values")

    means = [f"{value:.4g}" for value in found.numbers["mean"]]
    assert all(value in found.text for value in means)
    assert f"{found.ratio:.1f} times the limit" in found.text
    np.testing.assert_allclose(found.numbers["mean"], (texture(3) // 3).mean((0, 1)), rtol=0.05)
    (line,) = guard.lines("photo.png", [found])
    assert line.startswith("photo.png is unlike the training images: Its values")
    assert "\n" not in line


def test_strict_makes_an_error_of_it_that_names_the_image(model):
    found = guard.look(model, ArrayScene(texture(1)[:, :, :1]))

    with pytest.raises(DataError, match=r"photo\.png.*1 channel.*\n.*--strict") as caught:
        guard.demand_familiar("photo.png", found)
    assert caught.value.code == "strange-image"
    assert caught.value.facts["channels"] == {"found": 1, "expected": [3]}
    guard.demand_familiar("photo.png", [])


def test_a_model_that_knows_nothing_of_its_training_asks_for_what_fits_only(model):
    old = SimpleNamespace(network=None, description=SimpleNamespace(preprocess=PREPROCESS, familiar=None))

    assert codes(old, np.zeros((20, 20, 3), np.uint8)) == set()
    assert codes(old, np.zeros((20, 20, 3), np.uint16)) == {"dtype"}


def test_several_models_tell_each_thing_once_as_the_strictest_says_it(model):
    known = model.description.familiar
    strict = known.model_copy(update={"values": known.values.model_copy(update={"limit": known.values.limit / 2})})
    other = SimpleNamespace(network=model.network, description=SimpleNamespace(preprocess=PREPROCESS, familiar=strict))
    image_HWC = 255 - texture(5)
    own = {one.code: one.ratio for one in guard.check([model], image_HWC)}

    both = guard.check([model, other], image_HWC)

    assert len({one.code for one in both}) == len(both)
    assert {one.code: one.ratio for one in both}["values"] == pytest.approx(2 * own["values"])
    assert [one.ratio for one in both] == sorted((one.ratio for one in both), reverse=True)


def test_files_arrays_and_scenes_are_looked_at_alike(model, tmp_path):
    image_HWC = 255 - texture(7)
    path = write_image(tmp_path / "image.png", image_HWC)

    assert guard.check([model], path) == guard.check([model], image_HWC) == guard.check([model], ArrayScene(image_HWC))


def test_many_images_are_summed_up_beside_what_chance_would_give():
    assert guard.summary(0, 10, 0.02) == ""
    assert guard.summary(3, 10, 0.021).startswith("3 of 10 images")
    assert "2.1%" in guard.summary(3, 10, 0.021)
