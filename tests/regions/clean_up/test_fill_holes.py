import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from maskwright.errors import SettingError
from maskwright.files import MemoryPlane
from maskwright.records import IGNORED
from maskwright.regions.clean_up import Task, steps


def mended(rows, background=0, classes=(1, 2), **options):
    plane = MemoryPlane(np.array(rows, np.uint8))
    steps["fill_holes"](**options)(Task(plane, classes, background))
    return plane.values


@given(seed=st.integers(0, 9999), share=st.floats(0.3, 0.8))
def test_of_one_class_all_holes_are_scipys(seed, share):
    mask = np.random.default_rng(seed).random((14, 15)) < share

    assert np.array_equal(mended(mask), ndimage.binary_fill_holes(mask))


def test_only_small_holes_are_filled_if_so_asked():
    ring = np.ones((5, 9), np.uint8)
    ring[2, 1] = ring[1:4, 4:7] = 0

    filled = mended(ring, smaller_than=9)
    assert filled[2, 1] == 1
    assert not filled[1:4, 4:7].any()
    assert mended(ring, smaller_than=10).all()


def test_a_hole_between_two_classes_takes_the_longer_side_if_both_are_chosen():
    rows = [[1, 1, 1, 2], [1, 0, 0, 2], [1, 1, 1, 2]]

    assert mended(rows)[1].tolist() == [1, 1, 1, 2]
    assert mended(rows, classes=(1,))[1].tolist() == [1, 0, 0, 2]


def test_a_class_inside_another_is_no_hole():
    rows = np.array([[1, 1, 1], [1, 2, 1], [1, 1, 1]])

    assert np.array_equal(mended(rows), rows)
    assert np.array_equal(mended(rows, classes=(1,)), rows)


def test_what_reaches_ignored_pixels_is_no_hole():
    rows = [[1, 1, 1, 1], [1, 0, IGNORED, 1], [1, 1, 1, 1]]

    assert mended(rows)[1, 1] == 0


def test_without_a_background_there_are_no_holes():
    with pytest.raises(SettingError, match=r"none of the classes is one.*drop_specks"):
        mended([[1]], background=None)
