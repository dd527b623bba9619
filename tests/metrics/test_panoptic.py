import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.metrics import ImageResult, image_metrics
from maskwright.records import IGNORED

pq = image_metrics["pq"]


def result_of(true, labels, objects=None, found=None):
    true, labels = np.atleast_2d(true), np.atleast_2d(labels)
    objects, found = (None if part is None else np.atleast_2d(part) for part in (objects, found))
    return ImageResult(labels.astype(np.uint8), true.astype(np.uint8), None, objects, found)


def by_loops(true, labels, objects, found):
    """The paper's words, class by class and object by object."""
    scores = []
    for label in (1, 2):
        theirs = [objects == n for n in np.unique(objects) if n and (true[objects == n] == label).all()]
        ours = [found == n for n in np.unique(found) if n and (labels[found == n] == label).all()]
        ious = [(a & b).sum() / (a | b).sum() for a in theirs for b in ours]
        hits = [iou for iou in ious if iou > 0.5]
        if theirs or ours:
            scores.append(sum(hits) / (len(hits) + (len(theirs) + len(ours) - 2 * len(hits)) / 2))
    return np.mean(scores)


def test_quality_is_worked_out_by_hand():
    true = [1, 1, 1, 1, 0, 1, 1, 0, 0, 0]
    said = [1, 1, 1, 0, 0, 0, 0, 0, 1, 1]

    # IoU 3/4, one missed, one wrong: SQ 3/4, RQ 1 / (1 + ½ + ½).
    assert pq(result_of(true, said)) == pytest.approx(3 / 4 * 1 / 2)
    assert pq(result_of(true, true)) == 1


def test_objects_of_another_class_are_no_match():
    true, said = [1, 1, 0, 2, 2], [2, 2, 0, 2, 2]

    # Class 1: one missed, 0. Class 2: one match and one wrong, 1 / 1.5.
    assert pq(result_of(true, said)) == pytest.approx((0 + 2 / 3) / 2)


def test_half_is_not_enough():
    assert pq(result_of([1, 1, 1, 1], [1, 1, 0, 0])) == 0


def test_touching_objects_count_as_they_were_told_apart():
    together, two = [1, 1, 1, 1], [1, 1, 2, 2]

    assert pq(result_of(together, together, two, two)) == 1
    assert pq(result_of(together, together, two)) == 0
    assert pq(result_of(together, together, None, two)) == 0


def test_an_object_has_the_class_of_most_of_its_pixels():
    true, objects = [1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2]

    assert pq(result_of(true, [1, 1, 2, 2, 2, 2], objects, objects)) == 1


def test_what_is_mostly_ignored_is_no_mistake():
    i = IGNORED
    assert pq(result_of([1, 1, 0, 0, i, i], [1, 1, 0, 1, 1, 1])) == 1
    assert pq(result_of([1, 1, 0, 0, i, i], [1, 1, 0, 1, 1, 0])) == pytest.approx(2 / 3), "half is not most"
    assert pq(result_of([1, 1, i, i, i, i], [1, 1, 1, 1, 1, 1])) == 1, "ignored pixels count in no IoU"


def test_empty_and_ignored_images_have_no_score():
    assert pq(result_of([0, 0], [0, 0])) is None
    assert pq(result_of([0, 0], [0, 1])) == pq(result_of([0, 1], [0, 0])) == 0
    assert pq(result_of([IGNORED, IGNORED], [1, 1])) is None
    assert pq(result_of([0, IGNORED, IGNORED, IGNORED], [1, 1, 1, 1])) is None


@given(seed=st.integers(0, 9999))
def test_it_is_what_loops_over_objects_say(seed):
    rng = np.random.default_rng(seed)
    objects = np.kron(rng.integers(0, 5, (3, 3)), np.ones((2, 2), int))
    found = np.where(rng.random(objects.shape) < 0.85, objects, rng.integers(0, 5, objects.shape))
    class_of = np.array([0, 1, 1, 2, 2])
    swapped = class_of if rng.random() < 0.7 else np.array([0, 1, 2, 2, 1])
    if not objects.any() and not found.any():
        return
    true, labels = class_of[objects], swapped[found]

    assert pq(result_of(true, labels, objects, found)) == pytest.approx(by_loops(true, labels, objects, found))
