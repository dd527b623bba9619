import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from maskwright.metrics import ImageResult
from maskwright.metrics.regions import EIGHT, FOUR, THRESHOLDS, cuts, foreground_share, overlaps, pieces
from maskwright.metrics.regions import true_foreground as true_foreground_of
from maskwright.records import IGNORED


@given(seed=st.integers(0, 999))
def test_pieces_are_those_of_another_library(seed):
    mask = np.random.default_rng(seed).random((7, 9)) < 0.5

    for structure, connectivity in ((FOUR, 1), (EIGHT, 2)):
        np.testing.assert_array_equal(pieces(mask, structure), label(mask, connectivity=connectivity))


@given(seed=st.integers(0, 999))
def test_overlaps_are_what_loops_count(seed):
    first, second = np.random.default_rng(seed).integers(0, 4, (2, 5, 6))
    expected = {}
    for pair in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True):
        expected[pair] = expected.get(pair, 0) + 1

    found = overlaps(first, second)

    assert {(a, b): n for a, b, n in zip(*(part.tolist() for part in found), strict=True)} == expected


def test_every_label_above_zero_is_foreground_and_ignored_pixels_are_not():
    true = np.array([[0, 1, 2, IGNORED]], np.uint8)
    probabilities = np.array([[[0.5, 0.25, 0, 1]], [[0.25, 0.5, 0, 0]], [[0.25, 0.25, 1, 0]]], np.float32)
    result = ImageResult(np.array([[0, 1, 2, 0]], np.uint8), true, probabilities)

    assert true_foreground_of(result).tolist() == [[False, True, True, False]]
    assert foreground_share(result).tolist() == [[0.5, 0.75, 1, 0]]
    cut = dict(cuts(result))
    assert tuple(cut) == THRESHOLDS
    assert cut[0.0].tolist() == [[True, True, True, False]]
    assert cut[0.5].tolist() == [[False, True, True, False]], "a pixel at the threshold is not above it"


def test_without_probabilities_the_labels_are_the_one_cut():
    result = ImageResult(np.array([[0, 1, 3]], np.uint8), np.zeros((1, 3), np.uint8))

    assert [(threshold, said.tolist()) for threshold, said in cuts(result)] == [(0.5, [[False, True, True]])]
