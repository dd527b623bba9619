import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.losses.binary_cross_entropy import BinaryCrossEntropy
from maskwright.losses.cross_entropy import CrossEntropy
from maskwright.records import IGNORED


def answers(labels, channels):
    """Labels a channel, B K H W, from labels a pixel."""
    known = [(labels == (1 if channels == 1 else k)).long().where(labels != IGNORED, IGNORED) for k in range(channels)]
    return torch.stack(known, dim=1)


def by_loops(logits, answers, class_weights, smoothing, weights):
    """The weighted mean over every answer of every channel."""
    total = amount = 0.0
    for b, k, y, x in np.ndindex(*logits.shape):
        if (answer := int(answers[b, k, y, x])) == IGNORED:
            continue
        c = 1.0 if class_weights is None else class_weights[answer if logits.shape[1] == 1 else k]
        p = 1 / (1 + np.exp(-float(logits[b, k, y, x])))
        t = answer * (1 - smoothing) + smoothing / 2
        w = 1.0 if weights is None else float(weights[b, y, x])
        total -= w * c * (t * np.log(p) + (1 - t) * np.log(1 - p))
        amount += c
    return total / amount if amount else 0.0


@given(
    seed=st.integers(0, 999),
    channels=st.integers(1, 3),
    smoothing=st.sampled_from([0.0, 0.1]),
    weighted=st.booleans(),
    mapped=st.booleans(),
    many=st.booleans(),
)
def test_it_agrees_with_the_formula_in_loops(batch, seed, channels, smoothing, weighted, mapped, many):
    logits, labels = batch(seed, max(2, channels), channels, size=(2, 3, 3))
    class_weights = [0.5 + k for k in range(max(2, channels))] if weighted else None
    weights = torch.rand(labels.shape, generator=torch.Generator().manual_seed(seed)) if mapped else None
    several = answers(labels, channels)
    if many:  # classes that overlap, and answers that are known for some channels only
        several = torch.from_numpy(np.random.default_rng(seed).choice([0, 1, IGNORED], several.shape))

    loss = BinaryCrossEntropy(class_weights=class_weights, label_smoothing=smoothing)
    found = loss(logits, several if many else labels, weights).item()

    assert found == pytest.approx(by_loops(logits, several, class_weights, smoothing, weights), rel=1e-4)


def test_one_channel_is_the_cross_entropy_of_one_logit(batch):
    logits, labels = batch(1, 2, 1)
    for options in ({}, {"class_weights": (0.3, 2.0)}, {"label_smoothing": 0.2}):
        torch.testing.assert_close(
            BinaryCrossEntropy(**options)(logits, labels), CrossEntropy(**options)(logits, labels)
        )


def test_it_is_pytorch_s_own(batch):
    logits, labels = batch(2, 3, ignored=0)
    several = answers(labels, 3)

    torch.testing.assert_close(
        BinaryCrossEntropy()(logits, several), F.binary_cross_entropy_with_logits(logits, several.float())
    )


def test_a_weight_where_every_channel_is_ignored_is_never_read(batch):
    logits, labels = batch(3, 2, size=(1, 2, 2), ignored=0)
    several = answers(labels, 2)
    several[0, :, 0, 0] = IGNORED
    weights = torch.ones(1, 2, 2)
    dirty = weights.clone()
    dirty[0, 0, 0] = torch.nan

    loss = BinaryCrossEntropy()
    assert loss(logits, several, dirty) == loss(logits, several, weights)


def test_labels_of_another_shape_are_named(batch):
    logits, _ = batch(4, 3)
    with pytest.raises(SettingError, match=r"\(2, 2, 5, 4\).*\(2, 3, 5, 4\)"):
        BinaryCrossEntropy()(logits, torch.zeros(2, 2, 5, 4, dtype=torch.long))
