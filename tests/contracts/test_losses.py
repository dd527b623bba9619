"""What every loss owes the training: ignored pixels count nowhere, the slope it claims, any number of channels.

Each contract is a function over one part, so that a planted part that breaks it shows that it bites.
"""

import numpy as np
import pytest
import torch
from tests.contracts.parts import parts_of
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.losses import losses
from maskwright.records import IGNORED

SHAPES = pytest.mark.parametrize("channels", [1, 2, 4])
PICTURE, VOLUME = (6, 5), (3, 4, 5)


def variants(registry):
    """Each loss with its defaults, image by image if it knows that, and with each of its switches turned."""
    for name, part in registry.items():
        yield pytest.param(part(), id=name)
        if "per" in part.model_fields:
            yield pytest.param(part(per="image"), id=f"{name} per image")
        for option, field in part.model_fields.items():
            # `absent` wants a smoothing, and its own tests.
            if isinstance(field.default, bool) and option != "absent":
                yield pytest.param(part(**{option: not field.default}), id=f"{name} {option}={not field.default}")


VARIANTS = pytest.mark.parametrize("loss", list(variants(losses)))


def painted(channels, seed=0, size=PICTURE):
    """Random logits B K H W that want a gradient, and labels B H W, a fifth of them ignored."""
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(0, max(2, channels), (2, *size)))
    labels[torch.from_numpy(rng.random(labels.shape) < 0.2)] = IGNORED
    logits = torch.tensor(rng.normal(size=(2, channels, *size)), dtype=torch.float32)
    return logits.requires_grad_(), labels


def without_doubt(channels, labels):
    """Logits that leave no doubt about these labels."""
    known = labels.where(labels != IGNORED, 0)
    one_hot = known[:, None] if channels == 1 else F.one_hot(known, channels).movedim(-1, 1)
    return one_hot.float() * 2000 - 1000


def gradient(loss, logits, labels, **weights):
    """The loss as a number and its gradient."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, labels, **weights)
    assert value.dtype == torch.float32, f"{value.dtype} is no float32"
    assert value.shape == (), f"{tuple(value.shape)} is no scalar"
    value.backward()
    return float(value.detach()), logits.grad


def leaves_ignored_pixels_out(loss, channels):
    """Changing the logits of ignored pixels changes neither the loss nor the gradient, and has none."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        ignored = (labels == IGNORED)[:, None].expand_as(logits)
        value, slope = gradient(loss, logits, labels)

        for other in (-50.0, 3.0, 1e4):
            again, same = gradient(loss, logits.where(~ignored, other), labels)
            assert again == value, "the loss moves with ignored pixels"
            assert torch.equal(same, slope), "the gradient moves with ignored pixels"
        assert not slope[ignored].any(), "ignored pixels have a gradient"


def is_zero_where_all_is_ignored(loss, channels):
    """Zero, with a gradient of zeros: a batch of nothing teaches nothing and breaks nothing."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        value, slope = gradient(loss, logits, torch.full_like(labels, IGNORED))

        assert value == 0
        assert torch.equal(slope, torch.zeros_like(slope))


def leaves_ignored_images_out(loss, channels):
    """An image that is ignored whole changes nothing for the others, and has no gradient."""
    logits, labels = painted(channels)
    labels[1] = IGNORED
    value, slope = gradient(loss, logits, labels)
    alone, same = gradient(loss, logits[:1], labels[:1])

    assert value == pytest.approx(alone, rel=1e-5)
    torch.testing.assert_close(slope[:1], same)
    assert not slope[1].any()


def falls_along_its_gradient(loss, channels):
    """A few steps down the slope bring it near its lowest, and it ends where the labels are."""
    logits, labels = painted(channels)
    start, _ = gradient(loss, logits, labels)
    lowest, _ = gradient(loss, without_doubt(channels, labels), labels)
    known = getattr(loss, "lowest", 0.0)
    assert known is None or lowest == pytest.approx(known, abs=1e-6), "right logits cost something"
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(60):
        logits.grad = gradient(loss, logits, labels)[1]
        optimizer.step()
    end, _ = gradient(loss, logits, labels)
    said = (logits[:, 0] > 0).long() if channels == 1 else logits.argmax(1)

    assert end - lowest < 0.5 * (start - lowest)
    # What looks at one feature only is content once that is right.
    if getattr(loss, "alone", True):
        assert (said == labels)[labels != IGNORED].float().mean() > 0.95


def has_the_slope_it_claims(loss, channels):
    """The gradient, added up along a line, is the difference of the ends; so it may have kinks, as a sorting has."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        slope = gradient(loss, logits, labels)[1]
        # Uphill everywhere, by random lengths: across the slope both sides would be nearly zero.
        towards = slope.sign() * torch.rand(logits.shape, generator=torch.Generator().manual_seed(0))
        reach, points = 0.05, 20
        places = [reach * (2 * (i + 0.5) / points - 1) for i in range(points)]
        slopes = [gradient(loss, logits.detach() + place * towards, labels)[1] for place in places]
        claimed = float(sum((one * towards).sum() for one in slopes)) / points
        ends = [float(loss(logits.detach() + sign * reach * towards, labels)) for sign in (1, -1)]

        assert (ends[0] - ends[1]) / (2 * reach) == pytest.approx(claimed, rel=1e-2)


def stays_finite(loss, channels):
    """Whatever the logits: 16-bit formats up to their ends, certain and wrong, empty, full and absent classes."""
    _, labels = painted(channels)
    counted = labels != IGNORED
    masks = [labels, labels.where(~counted, 0), labels.where(~counted, 1), torch.ones_like(labels)]
    signs = torch.randn(2, channels, *PICTURE, generator=torch.Generator().manual_seed(1)).sign()
    for dtype, size in ((torch.float16, 60_000), (torch.bfloat16, 60_000), (torch.float16, 100), (torch.float32, 1e30)):
        for mask in masks:
            for logits in (signs * size, torch.full_like(signs, size), torch.zeros_like(signs)):
                value, slope = gradient(loss, logits.to(dtype), mask)
                assert np.isfinite(value), (dtype, size)
                assert slope.isfinite().all(), (dtype, size)


def adds_up_in_32_bit(loss, channels):
    """A sum over more pixels than a 16-bit number can count is the same from 16-bit logits."""
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(1, channels, 220, 300, generator=generator).half()
    labels = torch.randint(0, max(2, channels), (1, 220, 300), generator=generator)

    assert gradient(loss, logits, labels)[0] == pytest.approx(gradient(loss, logits.float(), labels)[0], rel=1e-5)


def takes_volumes(loss, channels):
    """A volume of one slice costs what the picture does, from whichever side it is looked at."""
    logits, labels = painted(channels)
    value, slope = gradient(loss, logits, labels)

    for axis in (2, 3, 4):
        thick, same = gradient(loss, logits.unsqueeze(axis), labels.unsqueeze(axis - 1))
        assert thick == pytest.approx(value, rel=1e-5)
        torch.testing.assert_close(same, slope.unsqueeze(axis))


def takes_bytes(loss, channels):
    """Labels are bytes on disk; they need not be widened first, and come back as they were."""
    logits, labels = painted(channels)
    before = labels.clone()

    assert gradient(loss, logits, labels.byte())[0] == gradient(loss, logits, labels)[0]
    assert torch.equal(labels, before)


def weighs_pixels_or_lets_them_be(loss, channels):
    """A loss that knows weights a pixel is linear in them, and ones are none; to all others they mean nothing."""
    for size in (PICTURE, VOLUME):
        logits, labels = painted(channels, size=size)
        generator = torch.Generator().manual_seed(3)
        weights = 5 * torch.rand(labels.shape, generator=generator)
        plain, slope = gradient(loss, logits, labels)
        if not getattr(loss, "uses_pixel_weights", False):
            value, same = gradient(loss, logits, labels, weights=weights)
            assert value == plain, "weights a pixel change a loss that does not announce it"
            assert torch.equal(same, slope)
            continue

        value, steep = gradient(loss, logits, labels, weights=weights)
        assert abs(value - plain) > 1e-3, "weights a pixel change nothing"
        # Each pixel's own part is multiplied, so its gradient is.
        torch.testing.assert_close(steep, slope * weights[:, None], rtol=1e-4, atol=1e-7)
        ones, _ = gradient(loss, logits, labels, weights=torch.ones_like(weights))
        assert ones == pytest.approx(plain, rel=1e-6), "a map of ones is not as none"
        for other in (torch.nan, torch.inf, -1e9):
            dirty = weights.where(labels != IGNORED, other)
            assert gradient(loss, logits, labels, weights=dirty)[0] == value, "ignored pixels have a weight"
        assert gradient(loss, logits, labels, weights=weights.double())[0] == pytest.approx(value, rel=1e-6)
        nothing, flat = gradient(loss, logits, torch.full_like(labels, IGNORED), weights=weights)
        assert nothing == 0
        assert not flat.any()


def takes_class_weights_or_lets_them_be(factory, channels):
    """A loss that has class weights shares itself out by them; one that has none says so, and has no such option."""
    if "class_weights" not in factory.model_fields:
        with pytest.raises(SettingError, match="class_weights"):
            factory.read({"class_weights": [1.0]})
        return
    classes = max(2, channels)
    logits, labels = painted(channels)
    plain, _ = gradient(factory(), logits, labels)
    uneven = [1.0 + k for k in range(classes)]
    value, _ = gradient(factory(class_weights=uneven), logits, labels)

    assert gradient(factory(class_weights=[1.0] * classes), logits, labels)[0] == pytest.approx(plain, rel=1e-6)
    assert abs(value - plain) > 1e-4
    tenfold = factory(class_weights=[10 * weight for weight in uneven])
    assert gradient(tenfold, logits, labels)[0] == pytest.approx(value, rel=1e-5), "the weights' size matters"
    with pytest.raises(SettingError, match=f"class_weights has {classes + 1} numbers"):
        factory(class_weights=[1.0] * (classes + 1))(logits, labels)
    for promise in (leaves_ignored_pixels_out, is_zero_where_all_is_ignored, takes_volumes):
        promise(factory(class_weights=uneven), channels)
    stays_finite(factory(class_weights=[0.0, *[1.0] * (classes - 1)]), channels)


def is_a_record(part):
    """Options are fields: printed, saved and read again; an unknown one is an error."""
    loss = part()
    assert part.read(loss.plain()) == loss
    with pytest.raises(SettingError, match="no_such_option"):
        part.read({"no_such_option": 1})


LOSS_CONTRACT = [
    leaves_ignored_pixels_out,
    is_zero_where_all_is_ignored,
    leaves_ignored_images_out,
    falls_along_its_gradient,
    has_the_slope_it_claims,
    stays_finite,
    adds_up_in_32_bit,
    takes_volumes,
    takes_bytes,
    weighs_pixels_or_lets_them_be,
]


@SHAPES
@pytest.mark.parametrize("promise", LOSS_CONTRACT)
@VARIANTS
def test_every_loss_keeps_its_promises(loss, promise, channels):
    promise(loss, channels)


@SHAPES
@parts_of(losses)
def test_every_loss_takes_class_weights_or_has_none(part, channels):
    takes_class_weights_or_lets_them_be(part, channels)


@parts_of(losses)
def test_every_loss_is_a_record(part):
    is_a_record(part)


def entropy(logits, labels, weights=None):
    """A sound loss to spoil."""
    return losses["cross_entropy"]()(logits, labels, weights)


entropy.uses_pixel_weights = True


def spoilt(loss, **attributes):
    for name, value in attributes.items():
        setattr(loss, name, value)
    return loss


@pytest.mark.parametrize(
    ("promise", "careless"),
    [
        (leaves_ignored_pixels_out, lambda z, t: F.cross_entropy(z, t.where(t != IGNORED, 0))),
        (is_zero_where_all_is_ignored, lambda z, t: F.cross_entropy(z, t, ignore_index=IGNORED)),
        (leaves_ignored_images_out, lambda z, t: (entropy(z[:1], t[:1]) + entropy(z[1:], t[1:])) / len(z)),
        (falls_along_its_gradient, lambda z, t: z.square().mean()),
        (falls_along_its_gradient, lambda z, t: 1 + entropy(z, t)),
        (has_the_slope_it_claims, lambda z, t: z.square().sum() + z.detach().square().sum()),
        (stays_finite, lambda z, t: -(z.softmax(1).gather(1, t.where(t < 4, 0)[:, None]).log().float().mean())),
        (adds_up_in_32_bit, lambda z, t: 1 - z.softmax(1).gather(1, t[:, None]).sum().float() / t.numel()),
        (takes_volumes, lambda z, t: entropy(z, t) / z.shape[3]),
        (takes_bytes, lambda z, t: entropy(z, t) + (2 * t).float().mean()),
        (weighs_pixels_or_lets_them_be, spoilt(lambda z, t, weights=None: entropy(z, t, weights))),
        (weighs_pixels_or_lets_them_be, spoilt(lambda z, t, weights=None: entropy(z, t), uses_pixel_weights=True)),
        (
            weighs_pixels_or_lets_them_be,
            spoilt(
                lambda z, t, weights=None: entropy(z, t, weights) / (1 if weights is None else weights.mean()),
                uses_pixel_weights=True,
            ),
        ),
    ],
)
def test_a_careless_loss_is_found(promise, careless):
    with pytest.raises(AssertionError):
        promise(careless, 4)
