import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.metrics import image_metrics
from maskwright.records import IGNORED

warping_error, split_merge_error = image_metrics["warping_error"], image_metrics["split_merge_error"]
BOTH = pytest.mark.parametrize("metric", [warping_error, split_merge_error], ids=["warping", "splits and mergers"])


def disc(y, x, radius=5, size=(24, 24)):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.hypot(rows - y, columns - x) < radius


@BOTH
def test_identical_and_empty_images_have_no_error(metric, mask, result):
    picture = mask("##.##", "##.##")

    assert metric(result(picture, picture)) == 0
    assert metric(result(mask("...", "..."), mask("...", "..."))) == 0


@BOTH
@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (-1, 1), (2, -3)])
def test_an_object_that_lies_elsewhere_costs_nothing(metric, shift, result):
    true = disc(11, 12)

    assert metric(result(true, np.roll(true, shift, (0, 1)))) == 0


@BOTH
def test_a_border_that_is_wider_or_lies_elsewhere_costs_nothing(metric, result):
    true, said = np.ones((12, 15), bool), np.ones((12, 15), bool)
    true[:, 7], said[:, 8:10] = False, False

    assert metric(result(true, said)) == 0


@BOTH
def test_a_merge_costs_the_pixels_that_are_lacking_between(metric, mask, result):
    true, said = mask("###.###", "###.###", "###.###"), mask("###.###", "#######", "###.###")

    assert metric(result(true, said)) == pytest.approx(1 / 21)
    # A border gone altogether: any of its pixels would join the two.
    assert metric(result(true, np.ones((3, 7), bool))) == pytest.approx(3 / 21)


@BOTH
def test_a_split_costs_the_pixels_that_are_too_many(metric, mask, result):
    true, said = np.ones((3, 7), bool), mask("###.###", "###.###", "###.###")

    # Two of the three are a dent in the border; the last one cuts.
    assert metric(result(true, said)) == pytest.approx(1 / 21)


def test_a_hole_costs_as_warping_and_not_as_a_split(result):
    true = disc(11, 11)
    hole = true.copy()
    hole[11, 11] = False

    for one, other in ((true, hole), (hole, true)):
        assert warping_error(result(one, other)) == pytest.approx(1 / true.size)
        assert split_merge_error(result(one, other)) == 0


def test_a_missed_object_costs_a_pixel_and_is_no_split(result):
    both, one = disc(6, 6) | disc(17, 17), disc(6, 6)

    assert warping_error(result(both, one)) == pytest.approx(1 / both.size)  # what it can shrink to
    assert warping_error(result(one, both)) == pytest.approx(disc(17, 17).sum() / both.size)  # nothing to grow from
    assert split_merge_error(result(both, one)) == split_merge_error(result(one, both)) == 0


def test_the_best_threshold_counts(result):
    true = disc(6, 6) | disc(17, 17)
    bridge = np.zeros_like(true)
    bridge[6, 6:18] = bridge[6:18, 17] = True
    share = np.where(true, 0.9, np.where(bridge, 0.55, 0.05))

    # Above 0.5 the discs grow along the bridge until one pixel is left between them; above 0.6 there is no bridge.
    for metric in (warping_error, split_merge_error):
        assert metric(result(true, share > 0.5)) == pytest.approx(1 / true.size)
        assert metric(result(true, share)) == 0


def test_ignored_pixels_are_as_predicted(mask, result):
    true = np.array([[1, 1, IGNORED, 1, 1, IGNORED, IGNORED, IGNORED]])

    for said in (mask("#####..."), mask("##.##..#")):
        assert warping_error(result(true, said)) == 0
    assert warping_error(result(np.array([[1, 1, 0, 1, 1, IGNORED]]), mask("#####."))) == pytest.approx(1 / 5)
    assert warping_error(result(np.full((2, 2), IGNORED), mask("##", ".."))) is None


@given(seed=st.integers(0, 999))
def test_splits_and_mergers_are_part_of_what_warping_leaves_and_that_of_what_differs(seed, result):
    rng = np.random.default_rng(seed)
    true = np.kron(rng.random((4, 5)) < 0.5, np.ones((3, 3))).astype(bool)
    said = np.roll(true, rng.integers(-1, 2, 2), (0, 1)) ^ (rng.random(true.shape) < 0.1)
    one = result(true, said)

    assert 0 <= split_merge_error(one) <= warping_error(one) <= (true != said).mean()
    assert warping_error(result(true, said)) == warping_error(one), "the same each time"


@given(seed=st.integers(0, 999))
def test_a_frame_of_background_changes_nothing(seed, result):
    """Outside of the image there is background already."""
    rng = np.random.default_rng(seed)
    true = np.kron(rng.random((3, 4)) < 0.5, np.ones((3, 3))).astype(bool)
    said = true ^ (rng.random(true.shape) < 0.15)
    framed = result(np.pad(true, 2), np.pad(said, 2))

    assert warping_error(framed) * framed.true_HW.size == pytest.approx(warping_error(result(true, said)) * true.size)
