import pytest
import torch

from maskwright.errors import SettingError
from maskwright.losses import LossSettings, build, losses


def test_a_mixture_is_the_weighted_sum_of_its_terms(batch):
    logits, labels = batch(0, 3)
    mixture = build(LossSettings(terms={"cross_entropy": 0.25, "dice": 3.0}))

    expected = 0.25 * losses["cross_entropy"]()(logits, labels) + 3.0 * losses["dice"]()(logits, labels)

    torch.testing.assert_close(mixture(logits, labels), expected)


def test_a_single_term_is_that_loss(batch):
    logits, labels = batch(0, 3)

    torch.testing.assert_close(
        build(LossSettings(terms={"dice": 1.0}))(logits, labels), losses["dice"]()(logits, labels)
    )


def test_class_weights_reach_the_terms(batch):
    logits, labels = batch(0, 3)
    weights = (1.0, 2.0, 5.0)
    mixture = build(LossSettings(terms={"cross_entropy": 1.0}, class_weights=weights))

    torch.testing.assert_close(mixture(logits, labels), losses["cross_entropy"](class_weights=weights)(logits, labels))


def test_by_default_pixels_and_regions_count_alike():
    assert LossSettings().terms == {"cross_entropy": 1.0, "dice": 1.0}


def test_an_unknown_loss_names_the_nearest():
    with pytest.raises(SettingError, match=r"no loss called 'dicee'.*Did you mean 'dice'"):
        LossSettings.read({"terms": {"dicee": 1.0}})


def test_at_least_one_loss_is_needed():
    with pytest.raises(SettingError, match="terms"):
        LossSettings.read({"terms": {}})
