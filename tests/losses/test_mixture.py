import pytest
import torch
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.losses import BorderSettings, LossSettings, build, losses
from maskwright.records import IGNORED


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


def as_it_was(logits, labels, class_weights):
    """The default mixture in the words of its first version, which every golden curve was drawn with."""
    counted = labels != IGNORED
    weights = None if class_weights is None else torch.tensor(class_weights)
    if logits.shape[1] > 1:
        total = F.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORED, reduction="sum")
        each = torch.ones(logits.shape[1]) if weights is None else weights
        amount = each[labels.where(counted, 0)].where(counted, 0).sum()
        p, t = logits.softmax(1), F.one_hot(labels.where(counted, 0), logits.shape[1]).movedim(-1, 1)
    else:
        pixel = counted.float()
        if weights is not None:
            pixel = pixel * torch.where(labels == 1, weights[1], weights[0])
        total = F.binary_cross_entropy_with_logits(logits[:, 0], (labels == 1).float(), pixel, reduction="sum")
        amount = pixel.sum()
        p, t = logits.sigmoid(), (labels == 1)[:, None]
    tiny = torch.finfo(torch.float32).tiny
    t, p = (t * counted[:, None]).float(), p * counted[:, None]
    overlap, true, said = ((part).sum(dim=(0, 2, 3)) for part in (p * t, t, p))
    occurs = (true > 0).float()
    dice = ((1 - 2 * overlap / (said + true).clamp(min=tiny)) * occurs).sum() / occurs.sum().clamp(min=1)
    return 1.0 * (total / amount.clamp(min=tiny)) + 1.0 * dice


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 11])
def test_the_default_mixture_is_what_it_was_to_the_last_bit(batch, channels, weighted, layout):
    logits, labels = batch(0, max(2, channels), channels, size=(3, 61, 47))
    logits = logits.contiguous(memory_format=layout).requires_grad_()
    weights = tuple(0.3 + k / 7 for k in range(max(2, channels))) if weighted else None

    now, was = build(LossSettings(class_weights=weights))(logits, labels), as_it_was(logits, labels, weights)

    assert torch.equal(now, was)
    assert torch.equal(*(torch.autograd.grad(loss, logits)[0] for loss in (now, was)))


def test_options_reach_their_loss(batch):
    logits, labels = batch(1, 3)
    settings = LossSettings.read({"terms": {"focal": 2, "dice": 1}, "options": {"focal": {"gamma": 3}}})

    expected = 2 * losses["focal"].read({"gamma": 3})(logits, labels) + losses["dice"]()(logits, labels)

    torch.testing.assert_close(build(settings)(logits, labels), expected)
    assert LossSettings.read(settings.plain()) == settings


def test_a_loss_s_own_class_weights_go_before_the_common_ones(batch):
    logits, labels = batch(2, 3)
    own, common = (1.0, 2.0, 5.0), (3.0, 1.0, 1.0)
    settings = LossSettings(
        terms={"cross_entropy": 1, "focal": 1}, class_weights=common, options={"focal": {"class_weights": own}}
    )

    expected = losses["cross_entropy"](class_weights=common)(logits, labels) + losses["focal"](class_weights=own)(
        logits, labels
    )

    torch.testing.assert_close(build(settings)(logits, labels), expected)


def test_weights_a_pixel_reach_the_terms_that_use_them(batch):
    logits, labels = batch(3, 3)
    weights = torch.rand(labels.shape)

    found = build(LossSettings())(logits, labels, weights)

    expected = losses["cross_entropy"]()(logits, labels, weights) + losses["dice"]()(logits, labels)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"options": {"dicee": {}}}, r"no loss called 'dicee'.*Did you mean 'dice'"),
        ({"options": {"dice": {"smoth": 1}}}, r"Unknown key 'smoth' in options.dice. Did you mean 'smooth'"),
        ({"options": {"dice": {"smooth": -1}}}, r"smooth in options.dice.*greater than or equal to 0"),
        ({"options": {"focal": {"gamma": 1}}}, r"'focal', which is not among the terms.*terms.focal=1"),
        ({"options": {"dice": {"absent": True}}}, "set smooth above 0"),
        ({"terms": {"dice": 1, "lovasz": 1}, "border": {}}, r"none of the terms \(dice, lovasz\).*cross_entropy"),
        ({"border": {"sigma": 0}}, r"border.sigma.*greater than 0"),
        ({"border": {}, "class_weights": [1, 2]}, r"border.balance.*class_weights"),
    ],
)
def test_settings_that_do_not_fit_say_why(wrong, message):
    with pytest.raises(SettingError, match=message):
        LossSettings.read(wrong)


def test_borders_are_asked_for_with_the_paper_s_numbers():
    settings = LossSettings.read({"border": {}})

    assert settings.border == BorderSettings(w0=10, sigma=5, balance=True)
    assert settings.uses_pixel_weights
    assert not LossSettings(terms={"dice": 1, "cldice": 1}).uses_pixel_weights
    assert LossSettings().border is None
    LossSettings(border=BorderSettings(balance=False), class_weights=(1, 2))
