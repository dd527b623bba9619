import numpy as np
import pytest

from maskwright.data.dataset_file import NAME
from maskwright.data.doctor.objects import examined


def paint(clinic, paint_scene, change=lambda objects: objects, only=(2,)):
    for seed in range(6):
        image, objects = paint_scene(seed)
        mask = change(objects.copy()) if seed in only else objects
        clinic.pair(f"img_{seed}", image.astype(np.uint8), mask.astype(np.uint16))
    (clinic.root / NAME).write_text("instances: true\n", "utf-8")


def numbered_anew(objects):
    """A second object far away bears the number 1."""
    objects[:] = 0
    objects[5:15, 5:15] = 1
    objects[70:80, 100:110] = 1
    objects[40:60, 40:60] = 2
    return objects


def with_specks(objects):
    objects[0, 0], objects[3, 3] = 90, 91
    return objects


def test_a_number_given_to_objects_far_apart_is_found(clinic, paint_scene):
    paint(clinic, paint_scene, numbered_anew)

    found = clinic.findings("objects")

    assert list(found) == ["repeated-ids"]
    assert found["repeated-ids"].files == ("masks/img_2.png",)
    assert found["repeated-ids"].title == "1 object lies in several places far apart, in 1 mask"
    assert found["repeated-ids"].severity == "warning"


def test_specks_are_counted(clinic, paint_scene):
    paint(clinic, paint_scene, with_specks, only=(1, 4))

    found = clinic.findings("objects")

    assert list(found) == ["specks"]
    assert found["specks"].files == ("masks/img_1.png", "masks/img_4.png")
    assert found["specks"].title == "4 objects have 4 pixels or less, in 2 masks"


def test_masks_of_classes_have_no_numbers_to_repeat(clinic):
    clinic.healthy(4)

    assert clinic.findings("objects") == {}


@pytest.mark.parametrize(
    ("pieces", "parted"),
    [
        ([(slice(0, 20), slice(0, 20))], 0),
        ([(slice(0, 20), slice(0, 9)), (slice(0, 20), slice(12, 20))], 0),  # partly covered by another
        ([(slice(0, 10), slice(0, 10)), (slice(60, 70), slice(60, 70))], 1),
        ([(slice(0, 20), slice(0, 20)), (slice(60, 63), slice(60, 63))], 0),  # a splinter
        ([(slice(0, 20), slice(0, 20)), (slice(20, 30), slice(20, 30))], 0),  # they touch at a corner
    ],
)
def test_pieces_near_each_other_are_one_object(pieces, parted):
    objects = np.zeros((80, 80), np.int32)
    for piece in pieces:
        objects[piece] = 1
    objects[40:50, 0:10] = 2

    assert examined(None, objects).parted == parted


def test_small_objects_among_small_ones_are_no_specks():
    objects = np.zeros((40, 40), np.int32)
    for i in range(10):
        objects[4 * i, 2:4] = i + 1

    assert examined(None, objects).specks == 0
