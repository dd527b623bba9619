"""What a network learns of objects: borders and centres, beside twins that look at each pixel and object in turn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from maskwright.data.learned_objects import LearnedObjects, ObjectSettings, borders, centres

MAPS = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.integers(0, 4)
)


def borders_by_pixels(objects_HW, width):
    """A pixel at a time, looking at every other pixel."""
    found = np.zeros(objects_HW.shape, bool)
    shown = np.argwhere(objects_HW > 0)
    for y, x in shown:
        for v, u in shown:
            if objects_HW[y, x] != objects_HW[v, u] and (y - v) ** 2 + (x - u) ** 2 <= width**2:
                found[y, x] = True
    return found


def centres_by_objects(objects_HW, core):
    """An object at a time over the whole picture, looking at every pixel that is not its own."""
    found = np.zeros(objects_HW.shape, bool)
    for number in np.unique(objects_HW[objects_HW > 0]):
        own, others = np.argwhere(objects_HW == number), np.argwhere(objects_HW != number)
        if not len(others):
            found[:] = True
            continue
        depth = np.sqrt(((own[:, None] - others[None]) ** 2).sum(-1)).min(axis=1)
        for (y, x), deep in zip(own, depth, strict=True):
            found[y, x] = deep > core * depth.max()
    return found


@given(MAPS, st.sampled_from([1, 2**0.5, 2, 3, 12]))
def test_borders_are_those_of_the_slow_twin(objects_HW, width):
    np.testing.assert_array_equal(borders(objects_HW, width), borders_by_pixels(objects_HW, width))


@given(MAPS, st.sampled_from([0.3, 0.5, 0.75]))
def test_centres_are_those_of_the_slow_twin(objects_HW, core):
    np.testing.assert_array_equal(centres(objects_HW, core), centres_by_objects(objects_HW, core))


@given(MAPS)
def test_every_object_keeps_a_core_however_small_and_none_is_outside(objects_HW):
    found = centres(objects_HW, 0.9)

    assert set(objects_HW[found]) == set(objects_HW[objects_HW > 0])


def two_discs(apart):
    """Two discs of radius 8 whose middles are so far apart."""
    y, x = np.mgrid[:24, :48]
    first, second = ((y - 12) ** 2 + (x - at) ** 2 <= 64 for at in (12, 12 + apart))
    return np.where(first, 1, np.where(second, 2, 0)).astype(np.int32)


def test_without_their_border_touching_discs_fall_apart_and_apart_ones_have_none():
    touching = two_discs(14)
    assert ndimage.label(touching > 0)[1] == 1

    marked = LearnedObjects(kind="border").marked(touching)

    assert ndimage.label((touching > 0) & ~marked, np.ones((3, 3)))[1] == 2
    assert not LearnedObjects(kind="border").marked(two_discs(22)).any()


def test_centres_of_touching_discs_lie_apart():
    marked = LearnedObjects(kind="centre").marked(two_discs(14))

    assert ndimage.label(marked, np.ones((3, 3)))[1] == 2
    assert marked[12, 12]
    assert not marked[12, 5]


def test_a_disc_that_the_edge_of_the_picture_cuts_is_taken_to_go_on():
    whole = two_discs(40)[:, :24]

    np.testing.assert_array_equal(centres(whole[12:], 0.5), centres(whole, 0.5)[12:])


@pytest.mark.parametrize("how", ["border", "centre", "distance"])
def test_what_is_learned_follows_from_how_objects_are_taken_apart(how):
    settings = ObjectSettings(how=how, width=3, core=0.4)

    learned = settings.learned

    assert learned == (None if how == "distance" else LearnedObjects(kind=how, width=3, core=0.4))
