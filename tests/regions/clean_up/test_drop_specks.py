import numpy as np

from maskwright.files import MemoryPlane
from maskwright.records import IGNORED
from maskwright.regions.clean_up import Task, steps


def mended(rows, background=0, classes=(1, 2), **options):
    plane = MemoryPlane(np.array(rows, np.uint8))
    steps["drop_specks"](**options)(Task(plane, classes, background))
    return plane.values.tolist()


def test_a_speck_takes_what_most_of_its_outline_meets():
    assert mended([[1, 1, 1], [1, 2, 0], [1, 1, 0]], smaller_than=2) == [[1, 1, 1], [1, 1, 0], [1, 1, 0]]
    assert mended([[0, 0, 0], [0, 2, 1], [0, 1, 1]], smaller_than=2) == [[0, 0, 0], [0, 0, 1], [0, 1, 1]]


def test_pieces_of_the_size_asked_for_stay():
    assert mended([[0, 1, 1, 0, 1]], smaller_than=2) == [[0, 1, 1, 0, 0]]


def test_specks_beside_one_another_do_not_count_for_each_other():
    assert mended([[0, 1, 2, 0, 0]], smaller_than=2) == [[0, 0, 0, 0, 0]]
    assert mended([[1, 2], [2, 1]], smaller_than=2) == [[0, 0], [0, 0]], "with nothing around they are background"
    assert mended([[1, 2]], background=None, smaller_than=2) == [[1, 2]], "and stay where there is none"


def test_what_is_ignored_around_them_does_not_count():
    i = IGNORED
    assert mended([[i, i, i], [i, 1, 2], [i, i, 2]], smaller_than=2) == [[i, i, i], [i, 2, 2], [i, i, 2]]


def test_only_pieces_of_the_chosen_classes_go():
    assert mended([[0, 1, 0, 2, 0]], classes=(2,), smaller_than=2) == [[0, 1, 0, 0, 0]]
