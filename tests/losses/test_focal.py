import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.losses.cross_entropy import CrossEntropy
from maskwright.losses.focal import Focal
from maskwright.records import IGNORED


@given(
    seed=st.integers(0, 999),
    classes=st.integers(1, 4),
    gamma=st.sampled_from([0.0, 0.5, 2.0, 5.0]),
    weighted=st.booleans(),
    mapped=st.booleans(),
)
def test_it_agrees_with_the_formula_in_loops(batch, seed, classes, gamma, weighted, mapped):
    logits, labels = batch(seed, max(2, classes), classes)
    class_weights = [0.5 + k for k in range(max(2, classes))] if weighted else None
    weights = torch.rand(labels.shape, generator=torch.Generator().manual_seed(seed)) if mapped else None
    total = amount = 0.0
    for b, y, x in np.ndindex(*labels.shape):
        if (label := int(labels[b, y, x])) == IGNORED:
            continue
        z = logits[b, :, y, x].double().numpy()
        z = np.array([0.0, *z]) if len(z) == 1 else z
        p = np.exp(z[label]) / np.exp(z).sum()
        c = class_weights[label] if weighted else 1.0
        w = float(weights[b, y, x]) if mapped else 1.0
        total += w * c * -((1 - p) ** gamma) * np.log(p)
        amount += c

    found = Focal(gamma=gamma, class_weights=class_weights)(logits, labels, weights).item()

    assert found == pytest.approx(total / max(amount, 1e-9), rel=1e-4)


def test_without_gamma_it_is_cross_entropy(batch):
    for channels in (1, 3):
        logits, labels = batch(1, max(2, channels), channels)
        torch.testing.assert_close(Focal(gamma=0)(logits, labels), CrossEntropy()(logits, labels))


def test_alpha_is_short_for_the_weights_of_two_classes(batch):
    for channels in (1, 2):
        logits, labels = batch(2, 2, channels)
        alpha = Focal(alpha=0.25, class_weights=(9.0, 1.0))(logits, labels)
        torch.testing.assert_close(alpha, Focal(class_weights=(0.75, 0.25))(logits, labels))


def test_alpha_does_not_fit_more_than_two_classes(batch):
    with pytest.raises(SettingError, match=r"alpha.*two classes.*3.*class_weights"):
        Focal(alpha=0.25)(*batch(3, 3))


def test_one_logit_x_is_the_same_as_two_logits_0_and_x(batch):
    logits, labels = batch(4, 2, 1)

    torch.testing.assert_close(Focal()(logits, labels), Focal()(torch.cat([0 * logits, logits], dim=1), labels))


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0])
def test_below_two_its_slope_is_finite_where_all_is_certain(gamma, channels):
    """(1 - p)^γ has an infinite slope at p = 1."""
    labels = torch.ones(1, 2, 2, dtype=torch.long)
    for size in (1e30, 200.0, -1e30):
        logits = torch.zeros(1, channels, 2, 2)
        logits[:, 0 if channels == 1 else 1] = size
        logits.requires_grad_()
        Focal(gamma=gamma)(logits, labels).backward()
        assert logits.grad.isfinite().all()


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_it_is_segmentation_models_own(batch, gamma):
    smp = pytest.importorskip("segmentation_models_pytorch.losses")

    logits, labels = batch(5, 2, 1, ignored=0)
    torch.testing.assert_close(Focal(gamma=gamma)(logits, labels), smp.FocalLoss("binary", gamma=gamma)(logits, labels))
    # Theirs for alpha is a plain mean; ours is divided by the mean weight.
    mean_weight = torch.where(labels == 1, 0.25, 0.75).mean()
    theirs = smp.FocalLoss("binary", gamma=gamma, alpha=0.25)(logits, labels)
    torch.testing.assert_close(Focal(gamma=gamma, alpha=0.25)(logits, labels) * mean_weight, theirs)


def test_it_is_monai_s_for_several_classes(batch):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(6, 3, ignored=0)

    theirs = monai.FocalLoss(gamma=2.0, use_softmax=True, to_onehot_y=True)(logits, labels[:, None])

    torch.testing.assert_close(Focal(gamma=2)(logits, labels), theirs * 3)  # theirs is a mean over the classes too
