import numpy as np
from skimage import draw

from maskwright.regions.parting import by_distance, by_seeds


def two_discs():
    picture = np.zeros((20, 40), np.int32)
    for column in (11, 22):
        picture[draw.disk((9, column), 6)] = 5
    return picture


def test_the_cut_is_where_the_neck_is_narrowest():
    parts = by_distance(two_discs(), 0.85, 1.0)

    meet = np.argwhere((parts[:, :-1] == 1) & (parts[:, 1:] == 2))
    assert len(meet)
    assert set(meet[:, 1].tolist()) <= {15, 16, 17}


def test_beyond_a_side_that_cuts_is_not_outside():
    half = two_discs()[:, 11:]  # a half disc is half as wide, and then the neck is no narrower

    assert by_distance(half, 0.85, 1.0, "l").max() == 2
    assert by_distance(half, 0.85, 1.0, "tbr").max() == by_distance(half, 0.85, 1.0).max() == 1
    assert by_distance(np.ones((4, 4), np.int32), 0.85, 1.0, "tblr").tolist() == np.ones((4, 4)).tolist()


def test_a_pixel_goes_to_the_nearest_seed_of_its_own_piece():
    pieces = np.array([[3, 3, 3, 3, 3, 0, 8, 8]], np.int32)
    seeds = np.array([[1, 0, 0, 0, 0, 0, 1, 0]], np.uint8)

    assert by_seeds(pieces, seeds).tolist() == [[1, 1, 1, 1, 1, 0, 2, 2]]
    seeds[0, 3] = 1
    assert by_seeds(pieces, seeds).tolist() == [[1, 1, 2, 2, 2, 0, 3, 3]]


def test_seeds_of_two_values_are_two_seeds_and_a_piece_without_one_is_one_part():
    pieces = np.array([[1, 1, 1, 0, 2, 2]], np.int32)

    assert by_seeds(pieces, np.array([[1, 2, 2, 9, 0, 0]], np.uint8)).tolist() == [[1, 2, 2, 0, 3, 3]]
    assert by_seeds(pieces, np.zeros((1, 6), np.uint8)).tolist() == [[1, 1, 1, 0, 2, 2]]


def test_a_seed_of_another_piece_is_not_near():
    pieces = np.zeros((3, 10), np.int32)
    pieces[0], pieces[2, 3] = 1, 2
    seeds = np.zeros((3, 10), np.uint8)
    seeds[0, [0, 9]] = seeds[2, 3] = 1

    assert by_seeds(pieces, seeds)[0].tolist() == [1] * 5 + [2] * 5
