import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from maskwright.metrics import image_metrics
from maskwright.records import IGNORED

dsb2018 = image_metrics["dsb2018"]


def by_loops(true, said):
    """The contest's words, object by object."""
    scores = []
    for percent in range(50, 100, 5):
        objects = [[map_ == k for k in np.unique(map_) if k] for map_ in (true, said)]
        hits = sum(
            100 * int((a & b).sum()) > percent * int((a | b).sum()) for a in objects[0] for b in objects[1]
        )  # fmt: skip
        scores.append(hits / (len(objects[0]) + len(objects[1]) - hits))
    return np.mean(scores)


def test_identical_objects_score_one(mask, result):
    picture = mask("##..#", "##..#", ".....", "..##.")

    assert dsb2018(result(picture, picture)) == 1


def test_a_missed_object_is_worked_out_by_hand(mask, result):
    true, said = mask("##.##", "##.##"), mask("##...", "##...")

    assert dsb2018(result(true, said)) == pytest.approx(1 / 2)  # TP 1, FN 1
    assert dsb2018(result(said, true)) == pytest.approx(1 / 2)  # TP 1, FP 1


def test_a_merge_and_a_split_are_worked_out_by_hand(mask, result):
    two, one = mask("#####.#####"), mask("###########")

    # IoU 5 / 11 with either: no match; TP 0 of three objects.
    assert dsb2018(result(two, one)) == 0
    assert dsb2018(result(one, two)) == 0
    # 8 of 11 is above 0.50 … 0.70, five thresholds, where TP 1 and FN 1; else TP 0.
    assert dsb2018(result(mask("########.##"), one)) == pytest.approx(5 / 10 * 1 / 2)


def test_an_object_with_a_hole_is_one_object(mask, result):
    true, said = mask("###", "###", "###"), mask("###", "#.#", "###")

    assert dsb2018(result(true, said)) == pytest.approx(8 / 10)  # IoU 8/9: above 0.50 … 0.85


def test_predicted_pixels_that_share_a_corner_are_one_object(mask, result):
    true = mask("#.", ".#")

    assert dsb2018(result(true, true, np.array([[1, 0], [0, 1]]))) == 1
    assert dsb2018(result(true, true, np.array([[1, 0], [0, 2]]))) == 0  # each half is not above one half


def test_true_objects_that_touch_are_told_apart_if_the_data_do(mask, result):
    together = mask("####", "####")
    objects = np.array([[1, 1, 7, 7], [1, 1, 7, 7]])

    assert dsb2018(result(together, together)) == 1
    assert dsb2018(result(together, together, objects)) == 0
    assert dsb2018(result(together, mask("##..", "##.."), objects)) == pytest.approx(1 / 2)


def test_empty_images(mask, result):
    empty, some = mask("..."), mask("#..")

    assert dsb2018(result(empty, empty)) == 1
    assert dsb2018(result(empty, some)) == 0
    assert dsb2018(result(some, empty)) == 0


def test_ignored_pixels_are_taken_away_from_objects_that_stay_whole(mask, result):
    true = np.array([[1, IGNORED, 1, 0, IGNORED, IGNORED]])
    said = mask("###.##")

    # What is predicted is one piece, though an ignored pixel lies in the middle; that wholly on ignored is no object.
    assert dsb2018(result(true, said, np.array([[3, 3, 3, 0, 4, 4]]))) == 1
    assert dsb2018(result(np.full((1, 6), IGNORED), said)) is None


@given(seed=st.integers(0, 999))
def test_it_is_what_loops_over_objects_say(seed, result):
    rng = np.random.default_rng(seed)
    true = np.kron(rng.random((5, 5)) < 0.4, np.ones((3, 3))).astype(bool)
    said = true ^ (rng.random(true.shape) < 0.1)
    objects = label(true, connectivity=1)
    if not true.any() and not said.any():
        return

    expected = by_loops(objects, label(said, connectivity=2))
    assert dsb2018(result(true, said, objects)) == pytest.approx(expected)
    numbers = np.r_[0, 1 + 3 * rng.permutation(objects.max())]
    assert dsb2018(result(true, said, numbers[objects])) == pytest.approx(expected), "numbers are only names"


def test_predicted_objects_that_were_told_apart_are_taken_as_they_are(mask, result):
    together = mask("####", "####")
    two = np.array([[1, 1, 7, 7], [1, 1, 7, 7]])

    assert dsb2018(result(together, together, two, two[:, ::-1])) == 1
    assert dsb2018(result(together, together, None, two)) == 0
