"""What every clean-up step owes those who use it. A new step is found here by itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.files import MemoryPlane
from maskwright.records import IGNORED, Record
from maskwright.regions.clean_up import Task, steps

PARTS = pytest.mark.parametrize("part", [pytest.param(part, id=name) for name, part in steps.items()])


def noisy(seed, shape=(23, 19)):
    """Blots of four classes with specks, holes and ignored pixels."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 4, (6, 5)), np.ones((4, 4), int))[: shape[0], : shape[1]]
    labels = np.where(rng.random(shape) < 0.2, rng.integers(0, 4, shape), labels)
    return np.where(rng.random(shape) < 0.05, IGNORED, labels).astype(np.uint8)


def mended(part, labels, classes=(1, 2, 3), background=0, **more):
    plane = MemoryPlane(labels.copy())
    part()(Task(plane, classes, background, **more))
    assert plane.values.dtype == np.uint8
    return plane.values


@PARTS
def test_every_step_says_what_it_is_and_has_defaults(part):
    assert issubclass(part, Record)
    assert len(part.__doc__.split()) >= 5
    assert 5 <= len(part.about.split()) <= 25
    assert part.read(part().plain()) == part()
    with pytest.raises(SettingError, match="Unknown key 'strength'"):
        part.read({"strength": 1})


@PARTS
def test_a_clean_picture_stays_as_it_is(part):
    clean = np.repeat([[0, 1, 2, 3, 0]], 30, axis=0).repeat(9, axis=1).astype(np.uint8)

    assert np.array_equal(mended(part, clean), clean)
    assert np.array_equal(mended(part, clean.T.copy()), clean.T)
    assert np.array_equal(mended(part, np.full((4, 5), IGNORED, np.uint8)), np.full((4, 5), IGNORED))


@PARTS
def test_a_picture_with_noise_is_mended(part):
    assert any(not np.array_equal(mended(part, noisy(seed)), noisy(seed)) for seed in range(20))


@PARTS
@settings(max_examples=20)
@given(seed=st.integers(0, 9999), band=st.integers(1, 25))
def test_bands_make_what_the_whole_makes(part, seed, band):
    labels = noisy(seed)

    assert np.array_equal(mended(part, labels, band=band), mended(part, labels, band=100))


@PARTS
@settings(max_examples=20)
@given(seed=st.integers(0, 9999), classes=st.sampled_from([(1,), (2, 3), (3, 1), ()]))
def test_other_classes_and_ignored_pixels_are_not_touched(part, seed, classes):
    labels = noisy(seed)
    after = mended(part, labels, classes)

    others = ~np.isin(labels, [0, *classes])
    assert np.array_equal(after[others], labels[others])
    assert np.array_equal(after == IGNORED, labels == IGNORED)


@PARTS
def test_a_background_may_have_any_label_or_there_may_be_none(part):
    labels = noisy(1)
    turned = np.array([3, 0, 1, 2, *[IGNORED] * 252], np.uint8)[labels]

    after = mended(part, turned, (0, 1, 2), 3)
    assert np.array_equal(after == 3, mended(part, labels) == 0)
    assert "background" in (refusal(part, labels) or "background")


def refusal(part, labels):
    """What a step says to classes without a background; nothing if it takes them."""
    try:
        mended(part, labels, (0, 1, 2, 3), None)
    except SettingError as error:
        return str(error)
    return ""
