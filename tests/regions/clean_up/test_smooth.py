import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.morphology import disk

from maskwright.files import MemoryPlane
from maskwright.records import IGNORED
from maskwright.regions.clean_up import Task, steps


def mended(labels, classes=(1, 2), background=0, **options):
    plane = MemoryPlane(np.array(labels, np.uint8))
    steps["smooth"](**options)(Task(plane, classes, background))
    return plane.values


def pixel_by_pixel(labels, votes, radius):
    """The rule as it is said."""
    out = labels.copy()
    around = np.argwhere(disk(radius)) - radius
    for row, column in np.argwhere(np.isin(labels, votes)):
        counts = dict.fromkeys(votes, 0)
        for r, c in around + np.array([row, column]):
            if 0 <= r < labels.shape[0] and 0 <= c < labels.shape[1] and labels[r, c] in counts:
                counts[labels[r, c]] += 1
        own = labels[row, column]
        best = max(counts.values())
        out[row, column] = own if counts[own] == best else next(v for v in votes if counts[v] == best)
    return out


@given(
    seed=st.integers(0, 9999), radius=st.sampled_from([1, 2, 3]), votes=st.sampled_from([(0, 1, 2, 3), (0, 2), (3,)])
)
def test_it_is_the_rule_pixel_by_pixel(seed, radius, votes):
    labels = np.random.default_rng(seed).choice([0, 1, 2, 3, IGNORED], (9, 8)).astype(np.uint8)

    background = 0 if 0 in votes else None
    found = mended(labels, tuple(v for v in votes if v != background), background, radius=radius)
    assert np.array_equal(found, pixel_by_pixel(labels, votes, radius))


@pytest.mark.parametrize("radius", [1, 4, 9])
def test_of_two_classes_it_is_the_median(radius):
    labels = (np.random.default_rng(0).random((40, 40)) < 0.5).astype(np.uint8)
    inner = np.s_[radius:-radius, radius:-radius]

    expected = ndimage.median_filter(labels, footprint=disk(radius))
    assert np.array_equal(mended(labels, radius=radius)[inner], expected[inner])
