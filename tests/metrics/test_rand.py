import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label
from skimage.metrics import adapted_rand_error, variation_of_information

from maskwright.metrics import image_metrics
from maskwright.metrics.rand import thinned
from maskwright.records import IGNORED

rand_error, v_rand, v_info = (image_metrics[name] for name in ("rand_error", "v_rand", "v_info"))
ALL = pytest.mark.parametrize("name", ["rand_error", "v_rand", "v_info"])


def best(name):
    return 0 if name == "rand_error" else 1


def cells(seed, size=(14, 15)):
    """A mask of cells between lines, and one with lines moved, broken and added."""
    rng = np.random.default_rng(seed)
    true = np.ones(size, bool)
    true[rng.integers(1, size[0] - 1)] = true[:, rng.integers(1, size[1] - 1)] = False
    said = np.roll(true, rng.integers(-1, 2, 2), (0, 1)) & (rng.random(size) < 0.97)
    return true, said | (rng.random(size) < 0.05)


def alone_where_background(said):
    """Predicted regions, each background pixel a region of its own."""
    regions = label(said, connectivity=1)
    return np.where(regions, regions, regions.max() + 1 + np.arange(said.size).reshape(said.shape))


def entropy(regions):
    shares = np.unique(regions, return_counts=True)[1] / regions.size
    return -(shares * np.log2(shares)).sum()


@ALL
def test_an_image_that_is_right_is_the_best_there_is(name, mask, result):
    picture = mask("##.##", "##.##", ".....", "#####")

    assert image_metrics[name](result(picture, picture)) == pytest.approx(best(name))


@ALL
def test_where_the_truth_has_no_foreground_there_is_no_score(name, mask, result):
    assert image_metrics[name](result(mask("..", ".."), mask("##", ".."))) is None
    assert image_metrics[name](result(np.full((2, 2), IGNORED), mask("##", ".."))) is None


def test_a_merge_is_worked_out_by_hand(mask, result):
    two, one = mask("###.###"), mask("#######")

    # Of 15 pairs 6 are together in truth, all 15 in the prediction: precision 6/15, recall 1, F = 12/21.
    assert rand_error(result(two, one)) == pytest.approx(1 - 12 / 21)
    # Σ p² = ½, Σ s² = 1, Σ t² = ½.
    assert v_rand(result(two, one)) == pytest.approx(0.5 / 0.75)
    # One region tells nothing of the true ones.
    assert v_info(result(two, one)) == 0


def test_a_split_is_worked_out_by_hand(mask, result):
    one, two = mask("#######"), mask("###.###")

    # All 21 pairs are together in truth, 6 of them in the prediction; the pixel between is in no region.
    assert rand_error(result(one, two)) == pytest.approx(1 - 12 / 27)
    # Shares 3/7, 3/7, 1/7: Σ p² = Σ s² = 19/49, Σ t² = 1.
    assert v_rand(result(one, two)) == pytest.approx(19 / 49 / (0.5 * 19 / 49 + 0.5))
    assert v_info(result(one, two)) == 0


def test_mutual_information_is_worked_out_by_hand(mask, result):
    true = mask("####.####", ".........", "#########")  # regions of 4, 4 and 9 of 17 pixels
    said = mask("#########", ".........", "#########")  # the first two are merged

    h_true = -(2 * 4 / 17 * math.log(4 / 17) + 9 / 17 * math.log(9 / 17))
    h_said = -(8 / 17 * math.log(8 / 17) + 9 / 17 * math.log(9 / 17))
    # The prediction follows from the truth, so what they share is all that it says.
    assert v_info(result(true, said)) == pytest.approx(2 * h_said / (h_true + h_said))


def test_a_hole_costs_the_pairs_of_its_pixel_alone(mask, result):
    whole, hole = mask("###", "###", "###"), mask("###", "#.#", "###")

    assert rand_error(result(whole, hole)) == pytest.approx(1 - 2 * 28 / (36 + 28))
    assert rand_error(result(hole, whole)) == 0, "what is background in truth is left out"
    # Thinning fills the hole: there is but one region around it.
    assert v_rand(result(whole, hole)) == 1


def test_nothing_predicted_is_the_worst_rand_error(mask, result):
    assert rand_error(result(mask("##", "##"), mask("..", ".."))) == 1
    # Four regions of one pixel: Σ p² = Σ s² = ¼.
    assert v_rand(result(mask("##", "##"), mask("..", ".."))) == pytest.approx(0.25 / 0.625)


def test_pixels_that_share_only_a_corner_are_two_regions(mask, result):
    true, said = mask("##.", "##.", "..#"), mask("##.", "###", "..#")

    assert rand_error(result(true, true)) == 0
    assert rand_error(result(true, said)) == pytest.approx(1 - 2 * 6 / (6 + 10))


def test_the_best_threshold_counts(mask, result):
    share = np.array([[0.9, 0.9, 0.65, 0.9, 0.9]])

    for name in ("rand_error", "v_rand", "v_info"):
        assert image_metrics[name](result(mask("##.##"), share)) == pytest.approx(best(name)), "at 0.7 they are apart"


@pytest.mark.parametrize("width", [1, 3, 5])
def test_thinning_makes_of_borders_of_any_width_the_same_line(width, mask, result):
    true, said = np.ones((9, 11), bool), np.ones((9, 11), bool)
    true[:, 5] = False
    said[:, 5 - width // 2 : 6 + width // 2] = False

    assert (thinned(said) > 0).tolist() == true.tolist()
    assert v_rand(result(true, said)) == v_info(result(true, said)) == 1
    assert (rand_error(result(true, said)) == 0) == (width == 1)


@given(seed=st.integers(0, 999))
def test_thinned_regions_are_the_pieces_grown_to_lines(seed):
    _, said = cells(seed)
    grown, seeds = thinned(said), label(said, connectivity=1)

    np.testing.assert_array_equal(grown[said], seeds[said])
    for shift in ((0, 1), (1, 0)):
        beside = np.roll(grown, shift, (0, 1))[1:, 1:]
        here = grown[1:, 1:]
        assert ((here == beside) | (here == 0) | (beside == 0)).all(), "regions never touch"
    assert (grown == 0).sum() <= (~said).sum()
    assert not thinned(np.zeros((3, 3), bool)).any()


@given(seed=st.integers(0, 999))
def test_the_rand_error_is_what_all_pairs_of_pixels_say(seed, result):
    true, said = cells(seed, (5, 6))
    regions, other = label(true, connectivity=1)[true].tolist(), alone_where_background(said)[true].tolist()
    together = same = alike = 0
    for (a, b), (c, d) in zip(combinations(regions, 2), combinations(other, 2), strict=True):
        together += a == b and c == d
        same += a == b
        alike += c == d

    assert rand_error(result(true, said)) == pytest.approx(1 - 2 * together / (same + alike))


@given(seed=st.integers(0, 999))
def test_the_rand_error_is_that_of_another_library(seed, result):
    true, said = cells(seed)
    # It takes predicted background for one more region; numbered one by one, its pixels form no pairs there either.
    expected, _, _ = adapted_rand_error(label(true, connectivity=1), alone_where_background(said))

    assert rand_error(result(true, said)) == pytest.approx(expected)


@given(seed=st.integers(0, 999))
def test_the_information_is_that_of_another_library(seed, result):
    true, said = cells(seed)
    regions = thinned(said)
    regions = np.where(regions, regions, regions.max() + 1 + np.arange(said.size).reshape(said.shape))[true]
    truth = label(true, connectivity=1)[true]
    both = entropy(truth) + entropy(regions)
    lost = variation_of_information(truth[None], regions[None]).sum()

    assert v_info(result(true, said)) == pytest.approx((both - lost) / both, abs=1e-9)


@given(seed=st.integers(0, 999))
def test_the_rand_score_is_what_shares_say(seed, result):
    true, said = cells(seed)
    regions = thinned(said)
    regions = np.where(regions, regions, regions.max() + 1 + np.arange(said.size).reshape(said.shape))[true]
    truth = label(true, connectivity=1)[true]
    shares = np.histogram2d(truth, regions, [np.arange(truth.max() + 2), np.arange(regions.max() + 2)])[0] / truth.size
    expected = (shares**2).sum() / (0.5 * (shares.sum(0) ** 2).sum() + 0.5 * (shares.sum(1) ** 2).sum())

    assert v_rand(result(true, said)) == pytest.approx(expected)


@given(seed=st.integers(0, 999), turns=st.integers(0, 3))
def test_turning_both_masks_changes_nothing(seed, turns, result):
    true, said = cells(seed)

    assert rand_error(result(np.rot90(true, turns), np.rot90(said, turns))) == pytest.approx(
        rand_error(result(true, said))
    )
