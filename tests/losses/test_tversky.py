import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.losses.dice import Dice
from maskwright.losses.jaccard import Jaccard
from maskwright.losses.tversky import Tversky
from maskwright.records import IGNORED


def tversky_of(alpha, beta, gamma, smooth):
    """One minus true positives over themselves and the weighted mistakes, to the power of 1/γ."""

    def loss(p, t):
        hits, false, missed = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
        return (1 - (hits + smooth) / (hits + alpha * false + beta * missed + smooth)) ** (1 / gamma)

    return loss


@given(
    seed=st.integers(0, 999),
    classes=st.integers(1, 4),
    per=st.sampled_from(["batch", "image"]),
    numbers=st.tuples(*[st.sampled_from(values) for values in ([0.2, 0.7], [0.3, 1.0], [1.0, 4 / 3], [0.0, 1.0])]),
    switches=st.tuples(st.booleans(), st.booleans()),
)
def test_it_agrees_with_the_formula_class_by_class(batch, by_class, seed, classes, per, numbers, switches):
    logits, labels = batch(seed, max(2, classes), classes, size=(2, 3, 2))
    alpha, beta, gamma, smooth = numbers
    where = {"per": per, "background": switches[0], "absent": switches[1] and smooth > 0}

    found = Tversky(alpha=alpha, beta=beta, gamma=gamma, smooth=smooth, **where)(logits, labels).item()

    assert found == pytest.approx(by_class(tversky_of(*numbers), logits, labels, **where), rel=1e-4, abs=1e-6)


def test_dice_and_jaccard_are_its_ends(batch):
    logits, labels = batch(1, 4)

    torch.testing.assert_close(Tversky(alpha=0.5, beta=0.5)(logits, labels), Dice()(logits, labels))
    torch.testing.assert_close(Tversky(alpha=1, beta=1)(logits, labels), Jaccard()(logits, labels))


def test_beta_is_what_a_missed_pixel_costs():
    labels = torch.tensor([[[0, 0, 1, 1]]])
    missed = torch.tensor([-9.0, -9.0, -9.0, 9.0]).view(1, 1, 1, 4)
    false = torch.tensor([-9.0, 9.0, 9.0, 9.0]).view(1, 1, 1, 4)

    careful, bold = Tversky(alpha=0.7, beta=0.3), Tversky(alpha=0.3, beta=0.7)

    assert bold(missed, labels) > careful(missed, labels)
    assert bold(false, labels) < careful(false, labels)


def test_the_focal_one_keeps_pulling_near_the_end(batch):
    _, labels = batch(2, 2)
    nearly = ((labels == 1).float() * 8 - 4)[:, None].requires_grad_()
    slopes = [torch.autograd.grad(Tversky(gamma=gamma)(nearly, labels), nearly)[0].norm() for gamma in (1, 4 / 3, 2)]

    assert slopes == sorted(slopes)


@pytest.mark.parametrize("gamma", [0.5, 4 / 3, 3])
def test_the_focal_one_is_finite_where_nothing_is_wrong(batch, gamma):
    _, labels = batch(3, 2)
    labels[0] = IGNORED
    right = ((labels == 1).float() * 2000 - 1000)[:, None].requires_grad_()

    loss = Tversky(gamma=gamma)(right, labels)
    loss.backward()

    assert loss.item() == 0
    assert right.grad.isfinite().all()


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.9, 0.2)])
def test_it_is_monai_s(batch, alpha, beta):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(4, 3, ignored=0)

    theirs = monai.TverskyLoss(softmax=True, to_onehot_y=True, alpha=alpha, beta=beta, batch=True)

    ours = Tversky(alpha=alpha, beta=beta, smooth=1e-5, absent=True)
    torch.testing.assert_close(ours(logits, labels), theirs(logits, labels[:, None]))


def test_it_is_segmentation_models_own(batch):
    smp = pytest.importorskip("segmentation_models_pytorch.losses")
    logits, labels = batch(5, 2, 1, ignored=0)

    theirs = smp.TverskyLoss("binary", alpha=0.3, beta=0.7, gamma=0.75)  # they write the exponent itself

    torch.testing.assert_close(Tversky(gamma=4 / 3)(logits, labels), theirs(logits, labels))
