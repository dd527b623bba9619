import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.metrics import image_metrics
from maskwright.records import IGNORED

salt = image_metrics["salt"]


def row(pixels, size=40):
    return np.arange(size)[None] < pixels


@pytest.mark.parametrize(
    ("both", "either", "score"),
    [
        (20, 20, 1.0),  # IoU 1 is above all ten
        (19, 20, 0.9),  # 0.95 is not above 0.95
        (11, 20, 0.1),  # 0.55 is above 0.50 and not above 0.55
        (10, 20, 0.0),  # nor is 0.50 above 0.50
        (9, 20, 0.0),
        (7, 10, 0.4),  # 0.70: above 0.50, 0.55, 0.60, 0.65
        (3, 5, 0.2),  # 0.6, which is not exact in floating point
    ],
)
def test_the_score_counts_the_thresholds_that_the_iou_is_above(both, either, score, result):
    assert salt(result(row(either), row(both))) == pytest.approx(score)
    assert salt(result(row(both), row(either))) == pytest.approx(score), "truth and prediction may change places"


def test_an_empty_mask_is_right_only_if_nothing_is_predicted(result):
    assert salt(result(row(0), row(0))) == 1
    assert salt(result(row(0), row(1))) == 0
    assert salt(result(row(5), row(0))) == 0


def test_ignored_pixels_neither_help_nor_harm(result):
    true = row(10).astype(np.uint8)
    true[0, 20:] = IGNORED

    assert salt(result(true, row(10) | (np.arange(40)[None] >= 30))) == 1
    assert salt(result(np.where(true == 1, 0, true), np.arange(40)[None] >= 30)) == 1
    assert salt(result(np.full((3, 3), IGNORED), np.ones((3, 3), bool))) is None


@given(seed=st.integers(0, 999))
def test_it_is_what_the_words_of_the_contest_say(seed, result):
    true, said = np.random.default_rng(seed).random((2, 6, 6)) < [[[0.5]], [[0.8]]]
    said |= true
    hits = 0
    for t in ("0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90", "0.95"):
        hits += 100 * int((true & said).sum()) > int(t[2:]) * int((true | said).sum())

    assert salt(result(true, said)) == pytest.approx(hits / 10)
