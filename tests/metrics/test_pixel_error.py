import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.metrics import image_metrics
from maskwright.records import IGNORED

pixel_error = image_metrics["pixel_error"]


def test_the_error_of_labels_is_worked_out_by_hand(mask, result):
    true, said = mask("####..", "####.."), mask("###..#", "####..")

    # TP 7, FP 1, FN 1: F = 14/16.
    assert pixel_error(result(true, said)) == pytest.approx(1 / 8)
    assert pixel_error(result(true, true)) == 0
    assert pixel_error(result(true, ~true)) == 1


def test_with_probabilities_the_best_threshold_counts(mask, result):
    share = np.array([[0.45, 0.42, 0.35, 0.1]])

    # At 0.5 nothing is found; at 0.4 just the two true pixels are.
    assert pixel_error(result(mask("##.."), share)) == 0
    # The first and third: at 0.3 TP 2, FP 1; at 0.4 TP 1, FP 1, FN 1.
    assert pixel_error(result(mask("#.#."), share)) == pytest.approx(1 - 4 / 5)


def test_empty_images(mask, result):
    empty, some = mask("..."), mask("#..")

    assert pixel_error(result(empty, empty)) == 0
    assert pixel_error(result(empty, some)) == 1
    assert pixel_error(result(some, empty)) == 1


def test_ignored_pixels_do_not_count(mask, result):
    assert pixel_error(result(np.array([[1, 0, IGNORED, IGNORED]]), mask("#.#."))) == 0
    assert pixel_error(result(np.full((2, 2), IGNORED), mask("##", ".."))) is None


@given(seed=st.integers(0, 999))
def test_it_is_one_minus_the_best_f_score_of_loops(seed, result):
    rng = np.random.default_rng(seed)
    true, share = rng.random((5, 6)) < 0.5, rng.random((5, 6)).astype(np.float32)
    best = 0.0
    for threshold in np.arange(10, dtype=np.float32) / 10:
        hits = sum(t and p > threshold for t, p in zip(true.flat, share.flat, strict=True))
        if hits:
            precision, recall = hits / int((share > threshold).sum()), hits / int(true.sum())
            best = max(best, 2 * precision * recall / (precision + recall))

    assert pixel_error(result(true, share)) == pytest.approx(1 - best)
