import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.data.display import displayed, overlay
from maskwright.data.labels import ClassLabel, Labels
from maskwright.records import IGNORED

CELLS = Labels(
    classes=(
        ClassLabel(name="background", values=(0,), colour=(0, 0, 0)),
        ClassLabel(name="cell", values=(255,), colour=(230, 159, 0)),
    )
)
SCENES = Labels(
    classes=(
        ClassLabel(name="sky", values=(0,), colour=(10, 20, 30)),
        ClassLabel(name="road", values=(1,), colour=(200, 0, 0)),
    )
)
CELL = (230, 159, 0)


def half() -> NDArray[np.uint8]:
    """Labels 60 × 60: the upper half background, the lower half cell."""
    return (np.indices((60, 60))[0] >= 30).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_kind_of_image_can_be_shown(channels, dtype):
    rng = np.random.default_rng(0)
    image = (rng.random((40, 30, channels)) * {"uint8": 255, "uint16": 3000, "float32": 0.01}[dtype]).astype(dtype)

    shown = displayed(image)

    assert shown.shape == (40, 30, 3)
    assert shown.dtype == np.uint8
    assert shown.min() < 15
    assert shown.max() > 240  # though 3000 of 65535 would be black


def test_eight_bits_are_shown_as_they_are_and_the_image_is_left_alone():
    image = np.random.default_rng(0).integers(60, 90, (20, 20, 3)).astype(np.uint8)
    before = image.copy()

    shown = displayed(image)
    shown[:] = 0

    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(displayed(image), image)


def test_one_hot_pixel_does_not_darken_a_16_bit_image():
    image = np.random.default_rng(0).integers(100, 200, (100, 100, 1)).astype(np.uint16)
    image[0, 0] = 65535

    assert displayed(image).mean() > 100


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value_or_of_no_numbers_can_be_shown(value):
    assert displayed(np.full((5, 5, 1), value, np.float32)).shape == (5, 5, 3)
    assert displayed(np.full((5, 5, 1), np.nan, np.float32)).shape == (5, 5, 3)


def test_colours_of_a_16_bit_photograph_keep_their_balance():
    image = np.stack([np.full((50, 50), 3000), np.full((50, 50), 1000), np.full((50, 50), 0)], 2).astype(np.uint16)

    assert displayed(image)[0, 0].tolist() == [255, 85, 0]


def test_three_channels_are_stretched_by_all_of_them_however_large_the_image():
    image = np.zeros((1200, 1300, 3), np.uint16)
    image[:, :, 0], image[:, :, 2] = 1000, 4000

    assert displayed(image)[0, 0].tolist() == [64, 0, 255]


def test_an_overlay_leaves_background_and_ignored_pixels_as_they_are():
    image = np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    labels = half()
    labels[40:45] = IGNORED

    laid = overlay(image, labels, CELLS)

    clear = (labels == 0) | (labels == IGNORED)
    np.testing.assert_array_equal(laid[clear], image[clear])
    assert (laid[50] == np.rint(image[50] * 0.5 + np.array(CELL) * 0.5).astype(np.uint8)).all()
    assert (laid[30] == CELL).all()  # the outline, inside the cell
    assert (laid[29] == image[29]).all()


def test_an_overlay_covers_a_first_class_that_is_no_background():
    laid = overlay(np.full((60, 60, 1), 100, np.uint8), half(), SCENES)

    assert (laid[10] == (55, 60, 65)).all()
    assert (laid[50] == (150, 50, 50)).all()


def test_an_overlay_does_not_depend_on_its_bands(monkeypatch):
    rng = np.random.default_rng(0)
    image, labels = rng.integers(0, 255, (70, 40, 1)).astype(np.uint8), rng.integers(0, 2, (70, 40)).astype(np.uint8)
    whole = overlay(image, labels, SCENES)

    monkeypatch.setattr("maskwright.data.display.BAND", 7)

    np.testing.assert_array_equal(overlay(image, labels, SCENES), whole)
