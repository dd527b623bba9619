import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.metrics import class_metrics, confusion_matrix, mean_iou, pixel_accuracy
from maskwright.records import IGNORED


def painted(seed, classes, size=(2, 4, 5)):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, size)
    labels[rng.random(size) < 0.2] = IGNORED
    return rng.integers(0, classes, size), labels


def by_loops(predicted, labels, classes):
    counts = np.zeros((classes, classes), int)
    for said, true in zip(predicted.ravel(), labels.ravel(), strict=True):
        if true != IGNORED:
            counts[true, said] += 1
    return counts


@given(seed=st.integers(0, 999), classes=st.integers(1, 6))
def test_it_counts_as_loops_do(seed, classes):
    predicted, labels = painted(seed, classes)

    found = confusion_matrix(predicted, labels, classes)

    np.testing.assert_array_equal(found, by_loops(predicted, labels, classes))
    assert found.dtype == np.int64


@given(seed=st.integers(0, 999), classes=st.integers(1, 5))
def test_every_score_is_what_sets_of_pixels_say(seed, classes):
    predicted, labels = painted(seed, classes)
    labels[labels == classes - 1] = 0 if seed % 2 else classes - 1  # now and then a class is absent
    counted = labels != IGNORED
    scores = {name: metric(confusion_matrix(predicted, labels, classes)) for name, metric in class_metrics.items()}

    for k in range(classes):
        true = {tuple(i) for i in np.argwhere(counted & (labels == k))}
        said = {tuple(i) for i in np.argwhere(counted & (predicted == k))}
        expected = {name: math.nan for name in scores}
        if true:
            expected |= {
                "iou": len(true & said) / len(true | said),
                "dice": 2 * len(true & said) / (len(true) + len(said)),
                "recall": len(true & said) / len(true),
                "precision": len(true & said) / len(said) if said else math.nan,
            }
        for name, values in scores.items():
            np.testing.assert_allclose(values[k], expected[name], rtol=1e-12, err_msg=f"{name} of class {k}")


@given(seed=st.integers(0, 999))
def test_mean_and_accuracy_are_over_what_occurs(seed):
    predicted, labels = painted(seed, 4)
    labels[labels == 3] = 0
    confusion = confusion_matrix(predicted, labels, 4)

    present = [k for k in range(4) if (labels == k).any()]
    counted = labels != IGNORED

    assert mean_iou(confusion) == pytest.approx(np.mean([class_metrics["iou"](confusion)[k] for k in present]))
    assert pixel_accuracy(confusion) == pytest.approx((predicted == labels)[counted].mean())


def test_where_everything_is_ignored_there_is_no_score():
    nothing = confusion_matrix(np.zeros((3, 3), int), np.full((3, 3), IGNORED), 2)

    assert not nothing.any()
    assert math.isnan(mean_iou(nothing))
    assert math.isnan(pixel_accuracy(nothing))
    for name in class_metrics:
        assert np.isnan(class_metrics[name](nothing)).all()


def test_what_is_predicted_on_ignored_pixels_does_not_matter():
    predicted, labels = painted(1, 3)
    elsewhere = np.where(labels == IGNORED, IGNORED, predicted)

    np.testing.assert_array_equal(confusion_matrix(predicted, labels, 3), confusion_matrix(elsewhere, labels, 3))


def test_pixel_accuracy_leaves_void_pixels_out():
    """As the CamVid tutorial counts it: of 8 pixels 2 are void, and of the other 6 are 5 right."""
    labels = np.array([[0, 1, 2, IGNORED], [2, 1, 0, IGNORED]])
    predicted = np.array([[0, 1, 2, 0], [2, 1, 1, 2]])

    assert pixel_accuracy(confusion_matrix(predicted, labels, 3)) == pytest.approx(5 / 6)


def test_billions_of_pixels_are_counted_and_scored_exactly():
    confusion = np.array([[4_000_000_000, 1_000_000_000], [0, 5_000_000_000]], np.int64)

    assert class_metrics["iou"](confusion) == pytest.approx([0.8, 5 / 6], rel=1e-12)
    assert class_metrics["dice"](confusion) == pytest.approx([8 / 9, 10 / 11], rel=1e-12)
    assert pixel_accuracy(confusion) == 0.9


@pytest.mark.parametrize("kind", ["bytes", "int64", "tensor", "a view", "read only", "backwards"])
def test_labels_may_come_as_anything_that_holds_numbers(kind):
    predicted, labels = painted(2, 3)
    expected = by_loops(predicted, labels, 3)
    if kind == "backwards":
        predicted, labels = predicted[::-1], labels[::-1]
    elif kind == "a view":
        predicted, labels = predicted.swapaxes(0, 2), labels.swapaxes(0, 2)
    elif kind == "read only":
        predicted.flags.writeable = labels.flags.writeable = False
    elif kind == "tensor":
        predicted, labels = torch.from_numpy(predicted), torch.from_numpy(labels).byte()
    elif kind == "bytes":
        predicted, labels = predicted.astype(np.uint8), labels.astype(np.uint8)

    np.testing.assert_array_equal(confusion_matrix(predicted, labels, 3), expected)


@pytest.mark.parametrize(
    ("predicted", "labels", "what"),
    [
        ([0, 3], [0, 1], "predictions hold 3"),
        ([0, 1], [0, 7], "labels hold 7"),
        ([-1, 0], [0, 0], "predictions hold -1"),
    ],
)
def test_a_label_that_is_no_class_is_an_error_and_not_another_pair(predicted, labels, what):
    with pytest.raises(DataError, match=f"{what}; with 3 classes they are 0 … 2"):
        confusion_matrix(np.array(predicted), np.array(labels), 3)
