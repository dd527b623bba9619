import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from maskwright.data.borders import FAINT, border_weights, objects_of, parted
from maskwright.errors import SettingError
from maskwright.records import IGNORED

PICTURES = npst.arrays(np.uint8, npst.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))
VOLUMES = npst.arrays(np.uint8, npst.array_shapes(min_dims=3, max_dims=3, max_side=4), elements=st.integers(0, 2))


def by_loops(objects, w0, sigma, balance, ignored):
    """Every pixel against every pixel of every object."""
    objects = np.where(ignored, 0, objects)
    counted = [place for place in np.ndindex(*objects.shape) if not ignored[place]]
    shares = {side: sum((objects[place] != 0) == side for place in counted) for side in (False, True)}
    present = [side for side in shares if shares[side]]
    weights = np.zeros(objects.shape)
    for place in counted:
        if balance:
            weights[place] = len(counted) / (len(present) * shares[bool(objects[place] != 0)])
        else:
            weights[place] = 1
        distances = sorted(
            min(math.dist(place, other) for other in np.argwhere(objects == number))
            for number in set(objects[objects != 0].tolist())
        )
        if len(distances) < 2:
            continue
        d1, d2 = distances[:2]
        neighbour = d2 <= math.sqrt(objects.ndim) + 1e-9
        if objects[place] == 0 or neighbour:
            term = math.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
            weights[place] += w0 * term if term > FAINT else 0
    return weights


@given(
    objects=PICTURES | VOLUMES,
    sigma=st.sampled_from([0.4, 1.0, 2.1, 5.0]),
    balance=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_agrees_with_the_formula_in_loops(objects, sigma, balance, seed):
    ignored = np.random.default_rng(seed).random(objects.shape) < 0.2

    found = border_weights(objects, 10.0, sigma, balance, ignored)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_loops(objects, 10.0, sigma, balance, ignored), rtol=1e-5, atol=1e-6)


@given(seed=st.integers(0, 99))
def test_looking_only_around_each_object_loses_nothing(seed):
    """Squares on a wide picture, most of them out of each other's reach, against whole-image distances."""
    rng = np.random.default_rng(seed)
    objects = np.zeros((60, 80), np.int64)
    for number in range(1, 9):
        y, x = rng.integers(0, 55), rng.integers(0, 75)
        objects[y : y + rng.integers(1, 9), x : x + rng.integers(1, 9)] = number * 1000
    numbers = np.unique(objects[objects != 0])
    y, x = np.indices(objects.shape)
    far = np.sort(
        [
            np.sqrt(((y[..., None] - a) ** 2 + (x[..., None] - b) ** 2).min(-1))
            for a, b in (np.nonzero(objects == number) for number in numbers)
        ],
        axis=0,
    )
    expected = np.where(objects == 0, 10 * np.exp(-((far[0] + far[1]) ** 2) / (2 * 2.0**2)), 0)

    found = border_weights(objects, sigma=2.0, balance=False) - 1

    quiet = (objects == 0) | (far[1] > 1.5)  # not where objects touch
    np.testing.assert_allclose(found[quiet], expected[quiet], atol=10 * FAINT)


def test_the_weight_is_the_papers_between_two_objects():
    objects = np.zeros((1, 9), np.int32)
    objects[0, :3], objects[0, 6:] = 1, 2

    found = border_weights(objects, w0=10, sigma=5, balance=False)

    border = 10 * math.exp(-((1 + 3) ** 2) / 50)  # three background pixels: 1 + 3, 2 + 2, 3 + 1
    np.testing.assert_allclose(found, [[1, 1, 1, *[1 + border] * 3, 1, 1, 1]], rtol=1e-6)


def test_a_narrower_gap_weighs_more():
    def between(gap):
        objects = np.zeros((5, 40), np.int32)
        objects[:, 10:15], objects[:, 15 + gap : 20 + gap] = 1, 2
        return border_weights(objects, balance=False)[2, 15 : 15 + gap].max()

    weights = [between(gap) for gap in (1, 2, 4, 8)]

    assert weights == sorted(weights, reverse=True)


def test_objects_that_touch_carry_their_border_themselves():
    objects = np.repeat([[1, 1, 1, 2, 2, 2]], 3, axis=0)

    found = border_weights(objects, w0=10, sigma=5, balance=False)

    border = 1 + 10 * math.exp(-1 / 50)
    np.testing.assert_allclose(found, np.repeat([[1, 1, border, border, 1, 1]], 3, axis=0), rtol=1e-6)


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("objects", [np.zeros((6, 7), int), np.eye(6, 7, dtype=int) * 4, np.full((6, 7), 9)])
def test_without_a_second_object_there_is_no_border(objects, balance):
    np.testing.assert_array_equal(border_weights(objects, 10, 5, balance), border_weights(objects, 0, 5, balance))


@given(objects=PICTURES, seed=st.integers(0, 99))
def test_the_class_weights_have_mean_one_and_halve_the_say(objects, seed):
    ignored = np.random.default_rng(seed).random(objects.shape) < 0.3
    found = border_weights(objects, w0=0, ignored_HW=ignored)
    inside = (objects != 0) & ~ignored
    outside = (objects == 0) & ~ignored

    assert not found[ignored].any()
    if (~ignored).any():
        assert found[~ignored].mean() == pytest.approx(1, rel=1e-5)
    if inside.any() and outside.any():
        assert found[inside].sum() == pytest.approx(found[outside].sum(), rel=1e-5)


def test_ignored_pixels_belong_to_no_object():
    objects = np.array([[1, 0, 0, 0, 2]])
    ignored = np.array([[False, False, False, False, True]])

    np.testing.assert_array_equal(border_weights(objects, balance=False, ignored_HW=ignored), [[1, 1, 1, 1, 0]])


def test_the_numbers_of_the_objects_mean_nothing():
    objects = np.random.default_rng(0).integers(0, 4, (12, 12))
    names = np.array([0, 70_000, 3, -5])

    np.testing.assert_array_equal(border_weights(objects), border_weights(names[objects]))


@pytest.mark.parametrize(("w0", "sigma"), [(10, 0), (10, -1), (-1, 5), (10, math.nan)])
def test_settings_without_a_meaning_are_refused(w0, sigma):
    with pytest.raises(SettingError, match="sigma above 0"):
        border_weights(np.zeros((3, 3), int), w0, sigma)


def test_objects_are_the_connected_regions_of_a_class():
    labels = np.array(
        [
            [1, 1, 0, 1],
            [0, 0, 1, 0],
            [1, IGNORED, 1, 2],
        ],
        np.uint8,
    )  # fmt: skip

    found = objects_of(labels)

    assert found.dtype == np.int32
    np.testing.assert_array_equal(
        found,
        [
            [1, 1, 0, 2],
            [0, 0, 3, 0],
            [4, 0, 3, 5],
        ],
    )


def test_a_map_goes_into_a_loss_as_it_is():
    labels = np.zeros((1, 20, 20), np.uint8)
    labels[0, 3:9, 3:17], labels[0, 10:17, 3:17] = 1, 1
    weights = border_weights(objects_of(labels[0]))

    assert torch.from_numpy(weights)[9, 5] > 5
    assert weights.flags.c_contiguous


def test_objects_that_touch_are_parted_by_background():
    objects = np.array([[1, 1, 1, 2, 2, 0], [1, 1, 1, 2, 2, 0], [0, 0, 0, 0, 0, 0], [3, 3, 0, 0, 0, 4]])

    assert parted(objects).tolist() == [
        [1, 1, 0, 0, 2, 0],
        [1, 1, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
        [3, 3, 0, 0, 0, 4],
    ]


@given(objects=PICTURES)
def test_parting_looks_at_every_neighbour(objects):
    found = parted(objects)

    for (y, x), number in np.ndenumerate(objects):
        around = objects[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        alone = not ((around != 0) & (around != number)).any()
        assert found[y, x] == (number if alone else 0)
