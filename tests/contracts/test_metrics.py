"""What every metric owes the evaluation: a score a class, or a score an image, in its own range.

Each contract is a function over one part, so that a planted part that breaks it shows that it bites.
"""

import numpy as np
import pytest
from tests.contracts.parts import parts_of

from maskwright.metrics import ImageResult, class_metrics, image_metrics
from maskwright.records import IGNORED


def scores_classes(metric):
    """A score a class, 0 … 1; 1 if all is right, 0 if nothing is, NaN where the class does not occur."""
    rng = np.random.default_rng(0)
    confusion = rng.integers(0, 1000, (5, 5))
    confusion[2] = 0  # an absent class, though predicted now and then
    before = confusion.copy()
    scores = metric(confusion)
    assert scores.shape == (5,)
    assert scores.dtype == np.float64
    assert np.array_equal(confusion, before), "the confusion matrix was changed"
    assert np.isnan(scores[2]), "an absent class has a score"
    present = scores[[0, 1, 3, 4]]
    assert ((present > 0) & (present < 1)).all()
    assert metric(np.diag([5, 9, 1])) == pytest.approx([1, 1, 1])
    assert metric(np.array([[0, 7], [3, 0]])) == pytest.approx([0, 0])
    assert np.isnan(metric(np.zeros((3, 3), np.int64))).all()
    np.testing.assert_allclose(metric(confusion * 10**12), scores, rtol=1e-12)


def does_not_ask_which_class_is_which(metric):
    """Renaming the classes renames the scores."""
    confusion = np.random.default_rng(1).integers(0, 1000, (4, 4))
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(metric(confusion[np.ix_(order, order)]), metric(confusion)[order])


@pytest.mark.parametrize("promise", [scores_classes, does_not_ask_which_class_is_which])
@parts_of(class_metrics)
def test_every_class_metric_keeps_its_promises(part, promise):
    promise(part)


@pytest.mark.parametrize(
    ("promise", "careless"),
    [
        (scores_classes, lambda c: np.diagonal(c) / np.maximum(1, c.sum(axis=1))),
        (scores_classes, lambda c: np.diagonal(c).astype(float)),
        (does_not_ask_which_class_is_which, lambda c: np.diagonal(c) / np.arange(1, len(c) + 1)),
    ],
)
def test_a_careless_metric_is_found(promise, careless):
    with pytest.raises(AssertionError):
        promise(careless)


def seen(labels=None, *, objects=None, backwards=False):
    """The result of a picture of cells; all right unless other labels are given. Arrays are not to be written to."""
    true = np.ones((12, 14), np.uint8)
    true[6] = true[:, 4] = true[2:4, 9:12] = 0
    true[:2, :2] = IGNORED
    labels = true % IGNORED if labels is None else labels
    foreground = np.float32(labels > 0)  # certain, so that every threshold says the same
    arrays = [labels.astype(np.uint8), true, np.stack([1 - foreground, foreground]), objects]
    for array in arrays[:3]:
        array.flags.writeable = False
    return ImageResult(
        *(a if a is None or not backwards else np.ascontiguousarray(a[..., ::-1])[..., ::-1] for a in arrays)
    )


def scores_images(metric):
    """A number 0 … 1 that tells right from wrong, for the better in the direction it says; None without truth."""
    right, nothing = seen(), seen(np.zeros((12, 14)))
    noisy = seen((np.random.default_rng(0).random((12, 14)) < 0.5).astype(int))
    best = 0 if metric.smaller_is_better else 1
    assert type(metric(right)) is float
    assert metric(right) == pytest.approx(best)
    assert all(0 <= metric(wrong) <= 1 for wrong in (nothing, noisy))
    assert abs(metric(noisy) - best) > 1e-3, "what is wrong is called right"
    ignored = ImageResult(right.labels_HW, np.full((12, 14), IGNORED, np.uint8), right.probabilities_KHW)
    assert metric(ignored) is None


def takes_what_it_says_and_no_more(metric):
    """Probabilities or objects move it only if it uses them; without them it has a score all the same."""
    for labels in (None, np.random.default_rng(1).integers(0, 2, (12, 14))):
        full = seen(labels, objects=np.arange(168).reshape(12, 14) // 7)
        bare = ImageResult(full.labels_HW, full.true_HW)
        plain = metric(bare)
        assert plain is not None
        if not metric.uses_probabilities:
            assert metric(ImageResult(full.labels_HW, full.true_HW, full.probabilities_KHW)) == plain
        if not metric.uses_objects:
            assert metric(ImageResult(full.labels_HW, full.true_HW, None, full.objects_HW)) == plain
        assert metric(seen(labels)) == metric(seen(labels)), "not the same each time"
        assert metric(seen(labels, backwards=True)) == metric(seen(labels)), "the layout in memory matters"


@pytest.mark.parametrize("promise", [scores_images, takes_what_it_says_and_no_more])
@parts_of(image_metrics)
def test_every_image_metric_keeps_its_promises(part, promise):
    promise(part)


def metric_of(score, **says):
    """An image metric in a line."""
    uses = {"uses_probabilities": False, "uses_objects": False, "smaller_is_better": False}
    return type("Planted", (), {"__call__": lambda self, result: score(result), **uses, **says})()


@pytest.mark.parametrize(
    ("promise", "careless"),
    [
        (scores_images, metric_of(lambda r: float((r.labels_HW == r.true_HW).mean()))),
        (scores_images, metric_of(lambda r: 1.0)),
        (scores_images, metric_of(lambda r: None if (r.true_HW == IGNORED).all() else 1.0, smaller_is_better=True)),
        (takes_what_it_says_and_no_more, metric_of(lambda r: float(r.probabilities_KHW is None))),
        (takes_what_it_says_and_no_more, metric_of(lambda r: float(r.objects_HW is None))),
        (takes_what_it_says_and_no_more, metric_of(lambda r: None if r.objects_HW is None else 1.0)),
        (takes_what_it_says_and_no_more, metric_of(lambda r, calls=[]: calls.append(1) or float(len(calls)))),
    ],
)
def test_a_careless_image_metric_is_found(promise, careless):
    with pytest.raises(AssertionError):
        promise(careless)
