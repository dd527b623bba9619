import numpy as np
import pytest

from maskwright.data.augment import Augment
from maskwright.familiar import Familiar, learn, measure, some
from maskwright.files import ArrayScene


def test_what_was_learnt_comes_back_from_its_file(network, preprocess, scenes, tmp_path):
    known = learn(network, preprocess, scenes(range(6)), scenes(range(6, 9)))

    assert Familiar.load(known.save(tmp_path / "familiar.json")) == known
    assert (known.images, known.held_out, known.channels) == (6, 3, (3,))
    assert known.smallest == known.largest == (150, 170)


def test_learning_twice_gives_the_same(network, preprocess, scenes):
    assert learn(network, preprocess, scenes(range(5))) == learn(network, preprocess, scenes(range(5)))


def test_too_few_images_say_nothing(network, preprocess, scenes):
    assert learn(network, preprocess, scenes(range(3)), scenes(range(3, 9))) is None


def test_light_that_training_changed_is_not_strange(network, preprocess, scenes, paint):
    calm = learn(network, preprocess, scenes(range(12)))
    lit = learn(network, preprocess, scenes(range(12)), augment=Augment(brightness=1.0, contrast=0.4))
    image_HWC = np.clip(paint(20).astype(float) + 25, 0, 255).astype(np.uint8)
    seen = measure(ArrayScene(image_HWC), network, preprocess)

    assert lit.values.strangeness(seen.values) < 1 < calm.values.strangeness(seen.values)


@pytest.mark.parametrize(("length", "most", "expected"), [(0, 5, []), (3, 5, [0, 1, 2]), (9, 3, [0, 4, 8])])
def test_images_are_looked_at_evenly_spread(length, most, expected):
    assert some(length, most) == expected
