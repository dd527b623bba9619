import numpy as np
import pytest

from maskwright.regions.sheets import matches, views


@pytest.mark.parametrize("box", [(0, 0, 50, 70), (7, 3, 40, 200), (5, 5, 6, 300)])
def test_windows_cover_a_box_and_what_they_trust_overlaps(box):
    seen = np.zeros((300, 400), int)
    for view in views(box, 32):
        rows, columns = view.zone
        assert view.rows.stop - view.rows.start <= 32
        assert view.columns.stop - view.columns.start <= 32
        seen[view.rows, view.columns][rows, columns] += 1
        # Where a side cuts, what is trusted keeps away from it.
        assert ("t" in view.cut) == (view.rows.start > box[0]) == (rows.start > 0)
        assert ("r" in view.cut) == (view.columns.stop < box[3])
        assert ("r" in view.cut) == (columns.stop < view.columns.stop - view.columns.start)

    inside = np.zeros_like(seen)
    inside[box[0] : box[2], box[1] : box[3]] = 1
    assert np.array_equal(seen > 0, inside > 0)
    assert seen.max() > 1


def test_what_covers_most_of_the_known_is_the_known():
    parts, known = np.array([[1, 1, 1, 2, 2, 3]]), np.array([[7, 7, 0, 0, 9, 0]])

    assert matches(parts, known).tolist() == [[1, 7], [2, 9]]


def test_two_that_were_known_are_one_if_a_part_covers_both():
    assert matches(np.array([[1, 1, 1, 1]]), np.array([[7, 7, 9, 9]])).tolist() == [[1, 7], [1, 9]]


def test_a_part_that_was_mostly_known_goes_with_the_object_that_has_most_of_it():
    parts, known = np.array([[1, 1, 1, 2, 2, 2, 2]]), np.array([[0, 7, 7, 7, 7, 7, 7]])

    assert matches(parts, known).tolist() == [[1, 7], [2, 7]]


def test_half_is_no_more_than_half():
    assert matches(np.array([[1, 1, 2, 2]]), np.array([[0, 7, 7, 0]])).tolist() == []


def test_nothing_known_matches_nothing():
    assert matches(np.array([[1, 2]]), np.zeros((1, 2), int)).shape == (0, 2)
