import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage import measure

from maskwright.regions.runs import extents, runs_of


@given(seed=st.integers(0, 9999), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_runs_paint_the_picture_again(seed, shape):
    values = np.random.default_rng(seed).integers(0, 3, shape)
    painted = np.zeros(shape, int)
    runs = runs_of(values)
    for row, start, stop, value in zip(*runs, strict=True):
        assert not painted[row, start:stop].any()
        painted[row, start:stop] = value

    assert np.array_equal(painted, values)
    assert runs.lengths.sum() == (values > 0).sum()
    order = runs.rows * shape[1] + runs.starts
    assert (np.diff(order) > 0).all(), "in reading order"


def test_runs_are_as_long_as_can_be():
    assert runs_of(np.array([[1, 1, 2, 0, 1], [1, 0, 0, 3, 3]])).lengths.tolist() == [2, 1, 1, 1, 2]


@given(seed=st.integers(0, 9999))
def test_extents_are_those_of_scikit_image(seed):
    values = np.random.default_rng(seed).integers(0, 4, (7, 8))
    runs = runs_of(values)
    found = extents(runs, 4)

    for region in measure.regionprops(values):
        n = region.label - 1
        assert (found.areas[n], found.boxes[n].tolist()) == (region.area, list(region.bbox))
        first = found.firsts[n]
        assert (runs.rows[first], runs.starts[first]) == tuple(np.argwhere(values == region.label)[0])
    assert found.areas[3] == 0
