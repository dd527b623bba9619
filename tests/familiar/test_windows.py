from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.preprocess import Preprocess
from maskwright.errors import DataError
from maskwright.familiar.windows import MOST, SIDE, places, view, views
from maskwright.files import ArrayScene

GREY = Preprocess(channels=1, dtype="uint8", mean=(100.0,), std=(30.0,))


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_windows_lie_inside_and_come_once(height, width):
    found = list(places(height, width))

    for rows, columns in found:
        assert 0 <= rows.start < rows.stop <= height
        assert 0 <= columns.start < columns.stop <= width
        assert (rows.stop - rows.start, columns.stop - columns.start) == (min(SIDE, height), min(SIDE, width))
    assert len({(rows.start, columns.start) for rows, columns in found}) == len(found)


def test_a_small_image_is_seen_once_and_whole():
    image_HWC = np.arange(60 * 50, dtype=np.uint8).reshape(60, 50, 1)

    (found,) = views(ArrayScene(image_HWC), GREY)

    np.testing.assert_array_equal(found[0].numpy(), image_HWC[:, :, 0])


@pytest.mark.parametrize("settings", [{"scale": 0.5}, {"size": (300, 260)}, {"scale": 2.0}])
def test_a_window_shows_what_the_whole_resized_image_shows_there(settings):
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 255, (40, 44)), np.ones((16, 16)))
    image_HWC = np.clip(coarse, 0, 255).astype(np.uint8)[:, :, None]
    preprocess = GREY.model_copy(update=settings)
    whole = preprocess.resize(image_HWC)

    for place in islice(places(*whole.shape[1:]), MOST):
        found = view(ArrayScene(image_HWC), preprocess, place)
        expected = whole[:, place.rows, place.columns]
        inside = (slice(None), slice(3, -3), slice(3, -3))  # resizing reaches over the window's border
        assert float((found[inside] - expected[inside]).abs().mean()) < 6


def test_windows_without_data_are_passed_over_and_gaps_get_the_mean():
    image_HWC = np.full((600, 600, 1), 50, np.uint8)
    valid_HW = np.zeros((600, 600), bool)
    valid_HW[:250, :260] = True

    found = views(ArrayScene(image_HWC, valid_HW), GREY)

    assert found
    assert set(torch.unique(torch.cat([image.flatten() for image in found])).tolist()) <= {50.0, 100.0}
    assert views(ArrayScene(image_HWC, np.zeros((600, 600), bool)), GREY) == []


class _Counting(ArrayScene):
    """A scene that knows the largest window that was read."""

    most = 0

    def read_valid(self, rows, columns):
        self.most = max(self.most, (rows.stop - rows.start) * (columns.stop - columns.start))
        return super().read_valid(rows, columns)


def test_a_large_image_that_becomes_small_is_read_in_narrow_bands():
    image_HWC = np.random.default_rng(0).integers(0, 255, (4000, 3000, 1), dtype=np.uint8)
    scene = _Counting(image_HWC)
    preprocess = GREY.model_copy(update={"size": (200, 150)})

    found = views(scene, preprocess, 1)

    assert scene.most <= 5 * 3000
    (place, *_) = places(200, 150)
    expected = preprocess.resize(image_HWC)[:, place.rows, place.columns]
    assert float((found[0] - expected)[:, 2:-2, 2:-2].abs().max()) < 8  # of 0 … 255, twenty-fold averages


def test_another_number_of_channels_is_refused():
    with pytest.raises(DataError, match="2 channels"):
        views(ArrayScene(np.zeros((20, 20, 2), np.uint8)), GREY)
