import numpy as np
import pytest

from maskwright.errors import ReadError, SettingError
from maskwright.files.annotations import AnnotatedImage, Shape, draw, draw_objects
from maskwright.files.annotations.geometry import Polygons, Runs
from maskwright.files.annotations.values import rectangle

SIZE = (4, 6)
VALUES = {"cat": 1, "dog": 2}


def box(name, left, top, right, bottom, **more):
    return Shape(name, "rectangle", Polygons(((rectangle((left, top), (right, bottom)),),)), "here", **more)


def test_later_shapes_lie_over_earlier_ones(marks):
    shapes = [box("cat", 0, 0, 3, 3), box("dog", 2, 1, 5, 4)]

    assert marks(draw(shapes, SIZE, VALUES)) == ["111000", "112220", "112220", "002220"]
    assert marks(draw(shapes[::-1], SIZE, VALUES, background=9)) == ["111999", "111229", "111229", "992229"]


def test_an_image_says_in_which_order_its_shapes_are_drawn():
    large, small, upper = box("cat", 0, 0, 6, 4), box("dog", 0, 0, 2, 2), box("cat", 0, 0, 6, 4, layer=1)
    found = (upper, small, large)

    assert AnnotatedImage("a", SIZE, found).shapes == (small, large, upper)
    assert AnnotatedImage("a", SIZE, found, smaller_over_larger=True).shapes == (large, small, upper)


def test_ignored_shapes_crowds_and_background_have_values_of_their_own(marks):
    shapes = [
        box("cat", 0, 0, 6, 1),
        box("x", 1, 0, 2, 1, ignored=True),
        box("dog", 2, 0, 3, 1, crowd=True),
        box("y", 3, 0, 4, 1, background=True),
    ]

    assert draw(shapes, SIZE, VALUES)[0].tolist() == [1, 255, 255, 0, 1, 1]
    assert draw(shapes, SIZE, VALUES, ignored=7, background=8)[0].tolist() == [1, 7, 7, 8, 1, 1]
    assert draw(shapes, SIZE, {**VALUES, "x": 3, "y": 4})[0].tolist() == [1, 3, 255, 4, 1, 1]


@pytest.mark.parametrize(("top", "dtype"), [(2, "uint8"), (256, "uint16"), (70_000, "int32")])
def test_the_picture_is_as_small_as_its_values_allow(top, dtype):
    assert draw([box("cat", 0, 0, 1, 1)], SIZE, {"cat": top}).dtype == dtype


def test_a_class_without_a_value_is_asked_for():
    with pytest.raises(SettingError, match=r"here: the class 'dgo' has no value. Did you mean 'dog'"):
        draw([box("dgo", 0, 0, 1, 1)], SIZE, VALUES)
    with pytest.raises(SettingError, match="-1"):
        draw([], SIZE, {"cat": -1})


def test_a_damaged_shape_is_named():
    shape = Shape("cat", "runs", Runs(np.array([1]), (9, 9)), "file.json, annotation 3")

    with pytest.raises(ReadError, match=r"file\.json, annotation 3: its mask is 9×9"):
        draw([shape], SIZE, VALUES)


def test_objects_are_numbered_in_their_order_and_the_smaller_is_seen(marks):
    shapes = [box("cat", 1, 1, 3, 3), box("cat", 0, 0, 6, 4), box("dog", 1, 1, 3, 3)]

    # The first is wholly covered by the last, which is as large and comes later; it leaves no gap.
    assert marks(draw_objects(shapes, SIZE)) == ["111111", "122111", "122111", "111111"]
    assert draw_objects([], SIZE).dtype == np.int32


def test_shapes_of_one_class_and_group_are_one_object(marks):
    shapes = [
        box("cat", 0, 0, 1, 1, object="1"),
        box("dog", 2, 0, 3, 1, object="1"),
        box("cat", 4, 0, 5, 1, object="1"),
    ]

    assert marks(draw_objects(shapes, (1, 6))) == ["102010"]


def test_what_is_ignored_or_background_is_no_object():
    shapes = [
        box("a", 0, 0, 9, 9, ignored=True),
        box("b", 0, 0, 9, 9, crowd=True),
        box("c", 0, 0, 9, 9, background=True),
    ]

    assert not draw_objects(shapes, SIZE).any()
