import numpy as np

from maskwright.files import MemoryPlane
from maskwright.regions.clean_up import Task, steps


def mended(rows, classes=(1, 2), background=0, **options):
    plane = MemoryPlane(np.array(rows, np.uint8))
    steps["keep_largest"](**options)(Task(plane, classes, background))
    return plane.values.tolist()


def test_the_largest_piece_of_each_class_stays():
    assert mended([[1, 0, 1, 1, 0, 2, 0, 2, 2]]) == [[0, 0, 1, 1, 0, 0, 0, 2, 2]]
    assert mended([[1, 0, 1, 1, 0, 2, 0, 2, 2]], classes=(2,)) == [[1, 0, 1, 1, 0, 0, 0, 2, 2]]


def test_of_equal_ones_the_first_stays():
    assert mended([[1, 0, 1, 0, 1]]) == [[1, 0, 0, 0, 0]]
    assert mended([[1, 0, 1, 0, 1]], count=2) == [[1, 0, 1, 0, 0]]


def test_what_goes_takes_the_label_around_it():
    assert mended([[2, 2, 2, 0], [2, 1, 2, 0], [2, 2, 2, 1], [0, 0, 1, 1]])[1] == [2, 2, 2, 0]
