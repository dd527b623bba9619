import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.familiar.record import DIMENSIONS, Neighbours

RNG = np.random.default_rng


def slow_distance(points, spread, point):
    """The obvious twin."""
    return min(np.sqrt(np.mean(((point - other) / spread) ** 2)) for other in points)


@given(st.integers(4, 20), st.integers(1, 12), st.integers(0, 5))
def test_distances_are_those_of_the_slow_twin(images, numbers, held_out):
    rng = RNG(images)
    points, others = rng.normal(3, 2, (images, numbers)), rng.normal(3, 2, (held_out, numbers))
    known = Neighbours.of(points, [(point, None) for point in others], 0.05)
    spread = points.std(0) + 0.05

    own = [slow_distance(np.delete(points, i, 0), spread, point) for i, point in enumerate(points)]
    away = own + [slow_distance(points, spread, point) for point in others]
    expected = max(0.1, max(away) * (1 + 2 / np.sqrt(len(away))))

    assert known.limit == pytest.approx(expected, abs=0.01)
    assert known.false_alarms == pytest.approx(1 / (images + held_out + 1), abs=1e-4)
    strange = rng.normal(9, 2, numbers)
    assert known.strangeness(strange) == pytest.approx(slow_distance(points, spread, strange) / known.limit, abs=0.02)


def test_an_image_in_another_light_is_compared_with_the_others_only():
    points = np.array([[0.0], [10.0], [20.0], [30.0]])
    calm = Neighbours.of(points, [], 0.0)

    lit = Neighbours.of(points, [(np.array([0.5]), 0)], 0.0)

    assert calm.limit == pytest.approx(10 / points.std() * 2, abs=0.01)
    assert lit.limit == pytest.approx(10 / points.std() * (1 + 2 / 5**0.5), abs=0.01)  # 9.5 to the next, not 0.5


def test_the_rate_of_false_alarms_is_what_is_said():
    """Of many draws of images and a new one like them, about 1 in n + 1 lies beyond the largest; the margin takes most
    of those away.
    """
    alarms = []
    for seed in range(400):
        rng = RNG(seed)
        known = Neighbours.of(rng.normal(0, 1, (24, 5)), [], 0.05)
        alarms.append(known.strangeness(rng.normal(0, 1, 5)) > 1)

    assert np.mean(alarms) <= known.false_alarms


def test_many_features_are_kept_as_few_sums_that_keep_distances():
    rng = RNG(0)
    points = rng.normal(0, 1, (30, 1000))
    known = Neighbours.of(points, [], 0.05)

    strange = rng.normal(0, 3, 1000)

    assert {len(point) for point in known.points} == {DIMENSIONS}
    expected = slow_distance(points, points.std(0) + 0.05, strange)
    assert known.strangeness(strange) * known.limit == pytest.approx(expected, rel=0.1)


def test_images_that_are_all_alike_allow_for_a_little():
    known = Neighbours.of(np.ones((5, 3)), [], 0.05)

    assert known.strangeness(np.full(3, 1.004)) < 1 < known.strangeness(np.full(3, 1.02))


def test_what_is_oddest_is_outside_of_its_range():
    points = RNG(0).uniform(0, 1, (20, 4))
    known = Neighbours.of(points, [], 0.05)

    assert known.oddest(np.array([0.5, 0.5, 4.0, 0.5])) == 2
    np.testing.assert_allclose(known.range_of(2), (points[:, 2].min(), points[:, 2].max()), atol=0.01)
