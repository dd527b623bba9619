import numpy as np
import pytest

from maskwright import api


@pytest.fixture
def numbered(paint):
    """A folder of five images whose masks number these objects."""

    def numbered(objects_HW, instances=True):
        for i in range(5):
            paint.write(f"images/{i}.png", paint.image(*objects_HW.shape))
            paint.write(f"masks/{i}.png", objects_HW.astype(np.uint8))
        if instances:
            (paint.root / "dataset.yaml").write_text("instances: true\n")
        return paint.root

    return numbered


def crowd():
    """Five squares of 6 × 6: two share a side, two meet at a corner, one stands alone."""
    objects = np.zeros((40, 40), int)
    for number, (y, x) in enumerate([(2, 2), (2, 8), (16, 2), (22, 8), (32, 32)], start=1):
        objects[y : y + 6, x : x + 6] = number
    return objects


def test_objects_that_share_a_side_or_a_corner_touch(numbered):
    seen = api.inspect(numbered(crowd())).fingerprint.objects

    assert seen.objects == 5 * seen.masks
    assert seen.touching == 0.8
    assert seen.diameter == pytest.approx(2 * (36 / np.pi) ** 0.5, abs=0.01)
    # Four columns of six on either side, and on either side of the corner eight pixels that are at most 4 away.
    assert seen.border == pytest.approx((2 * 4 * 6 + 2 * 8) / 1600, abs=1e-4)


def test_masks_that_do_not_tell_objects_apart_say_nothing_of_touching(numbered):
    assert api.inspect(numbered(np.minimum(crowd(), 1), instances=False)).fingerprint.objects is None


def test_masks_without_an_object_are_no_crowd(numbered, paint):
    numbered(np.zeros((40, 40), int))
    paint.write("masks/0.png", crowd().astype(np.uint8))

    seen = api.inspect(paint.root, val=["0.png"]).fingerprint.objects

    assert (seen.objects, seen.touching, seen.border, seen.diameter) == (0, 0, 0, 0)
