import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage import morphology

from maskwright.regions import hulls
from maskwright.regions.hulls import Rims, hull_areas, rim_of
from maskwright.regions.runs import runs_of


def pieces(seed, shape=(14, 13)):
    return ndimage.label(ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 0.8) > 0.52)[0]


@given(seed=st.integers(0, 9999), band=st.integers(1, 15), cells=st.sampled_from([1, 20, 1 << 21]))
def test_hulls_are_those_that_scikit_image_draws(seed, band, cells):
    numbers = pieces(seed)
    boxes = [[r.start, c.start, r.stop, c.stop] for r, c in ndimage.find_objects(numbers)]
    rims = Rims(np.array(boxes, np.int64).reshape(-1, 4))
    was, hulls._CELLS = hulls._CELLS, cells
    for top in range(0, len(numbers), band):
        runs = runs_of(numbers[top : top + band])
        rims.add(runs._replace(rows=runs.rows + top), top + band)
    hulls._CELLS = was

    expected = [morphology.convex_hull_image(numbers == n + 1).sum() for n in range(len(boxes))]
    assert rims.areas().tolist() == expected
    assert not len(rims._open.values), "what is complete is forgotten"


def test_one_pixel_is_its_own_hull():
    assert hull_areas(rim_of(runs_of(np.array([[0, 3]])))).tolist() == [1]


def test_a_diagonal_fills_nothing_and_an_angle_half_its_square():
    assert hull_areas(rim_of(runs_of(np.eye(5, dtype=int)))).tolist() == [5]
    angle = np.zeros((5, 5), int)
    angle[0] = angle[:, 0] = 1
    assert hull_areas(rim_of(runs_of(angle))).tolist() == [15]
