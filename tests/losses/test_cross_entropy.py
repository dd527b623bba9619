import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.losses.cross_entropy import CrossEntropy
from maskwright.records import IGNORED


def by_loops(logits, labels, weights):
    """The sum over pixels of weight × -log p, over the sum of the weights."""
    total = amount = 0.0
    for b, y, x in np.ndindex(*labels.shape):
        label = int(labels[b, y, x])
        if label == IGNORED:
            continue
        z = [float(v) for v in logits[b, :, y, x]]
        z = [0.0, *z] if len(z) == 1 else z
        top = max(z)
        total += weights[label] * (top + math.log(sum(math.exp(v - top) for v in z)) - z[label])
        amount += weights[label]
    return total / amount if amount else 0.0


@given(seed=st.integers(0, 999), classes=st.integers(2, 5), weighted=st.booleans(), single=st.booleans())
def test_it_agrees_with_the_formula_in_loops(batch, seed, classes, weighted, single):
    classes = 2 if single else classes
    logits, labels = batch(seed, classes, 1 if single else None)
    weights = [0.5 + k for k in range(classes)] if weighted else None

    found = CrossEntropy(class_weights=weights)(logits, labels)

    assert found.item() == pytest.approx(by_loops(logits, labels, weights or [1.0] * classes), rel=1e-5)


@pytest.mark.parametrize("weights", [None, (0.2, 1.0, 3.0)])
def test_it_is_pytorch_s_own_mean(batch, weights):
    logits, labels = batch(1, 3)
    tensor = None if weights is None else torch.tensor(weights)

    torch.testing.assert_close(
        CrossEntropy(class_weights=weights)(logits, labels),
        F.cross_entropy(logits, labels, weight=tensor, ignore_index=IGNORED),
    )


@pytest.mark.parametrize("weights", [None, (0.3, 2.0)])
def test_one_logit_x_is_the_same_as_two_logits_0_and_x(batch, weights):
    logits, labels = batch(2, 2, 1)
    loss = CrossEntropy(class_weights=weights)

    torch.testing.assert_close(loss(logits, labels), loss(torch.cat([0 * logits, logits], dim=1), labels))


def test_even_logits_cost_the_logarithm_of_the_number_of_classes(batch):
    for classes in (2, 7):
        _, labels = batch(3, classes)
        loss = CrossEntropy()(torch.zeros(2, classes, 5, 4), labels)
        assert loss.item() == pytest.approx(math.log(classes))


def test_weights_change_the_balance_and_not_the_size(batch):
    logits, labels = batch(4, 3)

    torch.testing.assert_close(
        CrossEntropy(class_weights=(1.0, 2.0, 3.0))(logits, labels),
        CrossEntropy(class_weights=(10.0, 20.0, 30.0))(logits, labels),
    )


def test_a_class_of_weight_zero_counts_like_an_ignored_one(batch):
    logits, labels = batch(5, 3)
    without = labels.where(labels != 2, IGNORED)

    torch.testing.assert_close(
        CrossEntropy(class_weights=(1.0, 1.0, 0.0))(logits, labels), CrossEntropy()(logits, without)
    )


def test_labels_may_be_bytes(batch):
    logits, labels = batch(6, 3)

    torch.testing.assert_close(CrossEntropy()(logits, labels.byte()), CrossEntropy()(logits, labels))


@pytest.mark.parametrize("weights", [None, (0.2, 1.0, 3.0)])
def test_label_smoothing_is_pytorch_s_own(batch, weights):
    logits, labels = batch(7, 3)
    tensor = None if weights is None else torch.tensor(weights)

    torch.testing.assert_close(
        CrossEntropy(class_weights=weights, label_smoothing=0.3)(logits, labels),
        F.cross_entropy(logits, labels, weight=tensor, ignore_index=IGNORED, label_smoothing=0.3),
    )


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("weights", [None, (0.3, 2.0)])
def test_smoothed_too_one_logit_x_is_the_same_as_two(batch, weights, mapped):
    logits, labels = batch(8, 2, 1)
    urgent = torch.rand(labels.shape) if mapped else None
    loss = CrossEntropy(class_weights=weights, label_smoothing=0.2)

    torch.testing.assert_close(
        loss(logits, labels, urgent), loss(torch.cat([0 * logits, logits], dim=1), labels, urgent)
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_a_pixel_multiply_its_loss_and_leave_the_divisor(batch, channels, weighted):
    """Twice a pixel's weight is twice its part of the loss, whatever the others weigh."""
    logits, labels = batch(9, max(2, channels), channels)
    class_weights = [1.0 + k for k in range(max(2, channels))] if weighted else None
    urgent = 1 + 9 * torch.rand(labels.shape)
    loss = CrossEntropy(class_weights=class_weights)
    share = torch.tensor(class_weights or [1.0] * 9)
    each = torch.stack([loss(z, t) for z, t in ones_of(logits, labels)])
    counted = labels[labels != IGNORED]

    expected = (each * share[counted] * urgent[labels != IGNORED]).sum() / share[counted].sum()

    torch.testing.assert_close(loss(logits, labels, urgent), expected)


def ones_of(logits, labels):
    """Each counted pixel as a picture of its own."""
    for b, y, x in np.argwhere(labels.numpy() != IGNORED):
        yield logits[b : b + 1, :, y : y + 1, x : x + 1], labels[b : b + 1, y : y + 1, x : x + 1]


def test_a_map_of_another_shape_is_named(batch):
    logits, labels = batch(10, 3)
    with pytest.raises(SettingError, match=r"\(2, 1, 5, 4\).*\(2, 5, 4\)"):
        CrossEntropy()(logits, labels, torch.ones(2, 1, 5, 4))
