import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.preprocess import Preprocess
from maskwright.familiar.measuring import OCTAVES, measure, octave_names, octaves, value_names, values
from maskwright.files import ArrayScene

GREY = Preprocess(channels=1, dtype="uint8", mean=(100.0,), std=(30.0,))


def checks(pixels, size=128):
    """A chessboard with fields of so many pixels."""
    at = np.arange(size) // pixels
    return torch.from_numpy(((at[:, None] + at[None]) % 2 * 60 + 70).astype(np.float32))[None]


@pytest.mark.parametrize("octave", range(OCTAVES))
def test_a_chessboard_has_all_its_power_in_the_octave_of_its_fields(octave):
    shares = np.exp(octaves(checks(2**octave), GREY))

    assert shares.argmax() == octave
    assert shares[octave] > 0.99


def test_octaves_do_not_depend_on_contrast():
    image = torch.from_numpy(np.random.default_rng(0).normal(100, 20, (1, 128, 128)).astype(np.float32))

    np.testing.assert_allclose(octaves(image, GREY), octaves(0.3 * image + 50, GREY), atol=1e-3)


def test_the_powers_of_all_octaves_add_up_to_what_blocks_of_the_widest_leave():
    image = np.random.default_rng(1).normal(100, 20, (128, 128))
    seen = torch.from_numpy(image[None].astype(np.float32))
    coarse = image.reshape(4, 32, 4, 32).mean((1, 3))
    fine = image.reshape(64, 2, 64, 2).mean((1, 3))

    shares = np.exp(octaves(seen, GREY)) - 1e-4

    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert shares[0] == pytest.approx((image.var() - fine.var()) / (image.var() - coarse.var()), rel=1e-4)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 8))
def test_any_size_gives_numbers_of_the_same_length(height, width, channels):
    preprocess = Preprocess(channels=channels, dtype="uint8", mean=(100.0,) * channels, std=(30.0,) * channels)
    image = torch.full((channels, height, width), 7.0)

    assert len(values(image, preprocess)) == len(value_names(channels))
    assert len(octaves(image, preprocess)) == len(octave_names())
    assert np.isfinite(values(image, preprocess)).all()
    assert np.isfinite(octaves(image, preprocess)).all()


def test_inverting_an_image_turns_its_quantiles_round():
    image = torch.from_numpy(np.random.default_rng(0).gamma(1.0, 20, (1, 64, 64)).astype(np.float32))

    own, turned = values(image, GREY), values(200 - image, GREY)

    np.testing.assert_allclose(turned[2:7], -own[2:7][::-1], atol=1e-4)


def test_values_are_told_in_stored_units_and_ends_are_counted(network, preprocess, paint):
    image_HWC = paint(0, size=(128, 128))
    image_HWC[:32] = 255

    seen = measure(ArrayScene(image_HWC), network, preprocess)

    np.testing.assert_allclose(seen.mean, image_HWC.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(seen.std, image_HWC.std((0, 1)), rtol=1e-6)
    assert seen.clipped == pytest.approx(((image_HWC == 255) | (image_HWC == 0)).mean())


def test_the_network_sees_the_middle_and_its_bottleneck_is_averaged(network, preprocess, paint):
    image_HWC = paint(1, size=(128, 128))

    seen = measure(ArrayScene(image_HWC), network, preprocess)

    deepest = network.encoder(preprocess(image_HWC)[None])[-1][0].mean((1, 2)).double().numpy()
    np.testing.assert_allclose(seen.content, np.sign(deepest) * np.sqrt(np.abs(deepest)), rtol=1e-5)


def test_empty_windows_count_only_where_all_are_empty(network, preprocess, paint):
    image_HWC = np.zeros((600, 600, 3), np.uint8)
    black = measure(ArrayScene(image_HWC), network, preprocess)
    image_HWC[:230, :230] = paint(2, size=(230, 230))  # of five windows, only that of the first quarter

    seen = measure(ArrayScene(image_HWC), network, preprocess)

    assert black.mean == (0, 0, 0)
    np.testing.assert_allclose(seen.mean, image_HWC[86:214, 86:214].mean((0, 1)), rtol=1e-6)


def test_a_valid_network_is_looked_at_too(preprocess, paint):
    from maskwright.model import UNet

    valid = UNet(in_channels=3, classes=2, depth=2, base=4, padding="valid").eval()

    seen = measure(ArrayScene(paint(3, size=(41, 37))), valid, preprocess)

    assert np.isfinite(seen.content).all()
