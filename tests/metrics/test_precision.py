import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from maskwright.metrics import ImageResult, image_metrics
from maskwright.records import IGNORED

ap, ap50 = image_metrics["ap"], image_metrics["ap50"]


def by_assignment(true, found):
    """TP / (TP + FP + FN) at each threshold, matched as Cellpose does."""
    masks = [[map_ == number for number in np.unique(map_) if number] for map_ in (true, found)]
    iou = np.array([[(a & b).sum() / (a | b).sum() for b in masks[1]] for a in masks[0]]).reshape(*map(len, masks))
    scores = []
    for threshold in np.arange(50, 100, 5) / 100:
        rows, columns = linear_sum_assignment(-(iou >= threshold - 1e-9).astype(float))
        hits = int((iou[rows, columns] >= threshold - 1e-9).sum())
        scores.append(hits / (len(masks[0]) + len(masks[1]) - hits))
    return scores


def test_counts_are_worked_out_by_hand(mask, result):
    true = mask("####.####.####")
    objects = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2, 0, 3, 3, 3, 3]])
    found = np.array([[1, 1, 1, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 0]])

    # IoU 3/4 and 1: TP 2, FN 1 at 0.50 … 0.75, six thresholds; then TP 1, FN 2, FP 1.
    assert ap50(result(true, found > 0, objects, found)) == pytest.approx(2 / 3)
    assert ap(result(true, found > 0, objects, found)) == pytest.approx((6 * 2 / 3 + 4 * 1 / 4) / 10)


def test_half_is_enough_and_no_object_has_two_matches(mask, result):
    one, halves = mask("####"), np.array([[1, 1, 2, 2]])

    # Either half has an IoU of exactly 0.5; one of them matches. In the contest's own score none does.
    assert ap50(result(one, one, None, halves)) == pytest.approx(1 / 2)
    assert ap50(result(one, one, halves, None)) == pytest.approx(1 / 2)
    assert image_metrics["dsb2018"](result(one, one, None, halves)) == 0


def test_touching_objects_count_as_they_were_told_apart(mask, result):
    together, two = mask("####", "####"), np.array([[1, 1, 7, 7], [1, 1, 7, 7]])

    assert ap(result(together, together, two, two)) == 1
    assert ap(result(together, together, two)) < ap(result(together, together, two, np.where(two == 1, 3, 4))) == 1


def test_empty_and_ignored_images_have_no_score(mask, result):
    empty, some = mask("..."), mask("#..")

    assert ap(result(empty, empty)) is None
    assert ap(result(empty, some)) == ap(result(some, empty)) == 0
    assert ap(result(np.full((1, 3), IGNORED), some)) is None
    assert ap(result(np.array([[0, IGNORED, IGNORED]]), mask(".##"))) is None, "what lies on ignored pixels is none"


@given(seed=st.integers(0, 9999))
def test_they_are_what_an_assignment_says(seed, result):
    rng = np.random.default_rng(seed)
    true, found = (np.kron(rng.integers(0, 4, (3, 3)), np.ones((2, 2), int)) for _ in range(2))
    found = np.where(rng.random(found.shape) < 0.8, true, found)
    if not true.any() and not found.any():
        return
    expected = by_assignment(true, found)

    assert ap50(result(true > 0, found > 0, true, found)) == pytest.approx(expected[0])
    assert ap(result(true > 0, found > 0, true, found)) == pytest.approx(np.mean(expected))


def scored(true, said, objects=None, found=None):
    return ImageResult(said.astype(np.uint8), true.astype(np.uint8), None, objects, found)


def test_of_several_classes_objects_match_in_their_class_and_the_classes_scores_are_averaged():
    true = np.array([[1, 1, 0, 1, 1, 0, 2, 2, 0, 3, 3]])
    said = np.array([[1, 1, 0, 2, 2, 0, 2, 2, 0, 0, 0]])
    numbers = np.array([[1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4]])
    both = scored(true, said, numbers, np.where(said, numbers, 0))

    # Class 1: one of two found; class 2: the one is found, and one that is none; class 3 is missed.
    for metric in (ap, ap50):
        assert metric.by_class(both) == {1: 1 / 2, 2: 1 / 2, 3: 0}
        assert metric(both) == pytest.approx(1 / 3)
    assert image_metrics["pq"].by_class(both) == pytest.approx({1: 2 / 3, 2: 2 / 3, 3: 0})


def test_pieces_of_two_classes_that_touch_are_two_where_no_numbers_are_told():
    true, said = np.array([[1, 1, 2, 2, 2]]), np.array([[1, 1, 1, 2, 2]])

    assert ap50(scored(true, true)) == 1
    assert ap50(scored(true, said)) == 1
    assert ap50(scored(true, np.minimum(said, 1))) == 0, "one of class 1 that is too long, and none of class 2"


def test_what_is_predicted_on_sky_or_a_crowd_is_no_mistake():
    true = np.array([[3, 3, 3, 3, 1, 1, 0, 1, 1, 1, 0, 0]])  # 3 is sky; the last of class 1 is a crowd
    numbers = np.array([[0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]])
    said = np.array([[3, 3, 3, 3, 1, 1, 0, 1, 1, 1, 0, 3]])
    found = np.array([[1, 1, 1, 1, 2, 2, 0, 3, 3, 3, 0, 4]])
    for name in ("ap", "ap50", "pq"):
        assert image_metrics[name](scored(true, said, numbers, found)) == 1
        assert image_metrics[name](scored(true, np.where(said == 3, 1, said), numbers, found)) < 1, (
            "a cell there is one"
        )
