import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.losses.dice import Dice
from maskwright.records import IGNORED


def certain(labels, classes):
    """Logits that leave no doubt about these labels."""
    one_hot = torch.nn.functional.one_hot(labels.where(labels != IGNORED, 0), classes).movedim(-1, 1)
    return one_hot.float() * 200 - 100


def by_loops(logits, labels):
    """One minus 2 Σ p·t / (Σ p + Σ t), for every class that occurs, then the mean."""
    channels = logits.shape[1]
    losses = []
    for k in range(channels):
        label = 1 if channels == 1 else k
        overlap = said = true = 0.0
        for b, y, x in np.ndindex(*labels.shape):
            if int(labels[b, y, x]) == IGNORED:
                continue
            z = np.array([float(v) for v in logits[b, :, y, x]])
            z = np.array([0.0, *z]) if channels == 1 else z
            p = np.exp(z - z.max())[label] / np.exp(z - z.max()).sum()
            t = int(labels[b, y, x]) == label
            overlap, said, true = overlap + p * t, said + p, true + t
        if true:
            losses.append(1 - 2 * overlap / (said + true))
    return np.mean(losses) if losses else 0.0


@given(seed=st.integers(0, 999), classes=st.integers(2, 5), single=st.booleans())
def test_it_agrees_with_the_formula_in_loops(batch, seed, classes, single):
    logits, labels = batch(seed, 2 if single else classes, 1 if single else None)

    assert Dice()(logits, labels).item() == pytest.approx(by_loops(logits, labels), rel=1e-4)


def test_a_perfect_prediction_costs_nothing_and_the_opposite_everything(batch):
    _, labels = batch(1, 2)
    opposite = (1 - labels).where(labels != IGNORED, IGNORED)

    assert Dice()(certain(labels, 2), labels).item() == pytest.approx(0, abs=1e-6)
    assert Dice()(certain(opposite, 2), labels).item() == pytest.approx(1, abs=1e-6)


def test_an_absent_class_is_left_out_of_the_mean(batch):
    _, labels = batch(2, 3)
    labels = labels.where(labels != 2, 0)

    assert Dice()(certain(labels, 3), labels).item() == pytest.approx(0, abs=1e-6)
    half_wrong = certain(labels.where(labels != 1, 2), 3)  # every pixel of class 1 is called 2
    assert Dice()(half_wrong, labels).item() == pytest.approx(0.5, abs=1e-6)


def test_an_empty_mask_costs_nothing_where_one_logit_is_the_foreground():
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)

    loss = Dice()(logits, torch.zeros(2, 4, 4, dtype=torch.long))
    loss.backward()

    assert loss.item() == 0
    assert not logits.grad.any()


def test_a_full_mask_is_learnt():
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)

    loss = Dice()(logits, torch.ones(2, 4, 4, dtype=torch.long))
    loss.backward()

    assert loss.item() == pytest.approx(1 / 3)  # p = ½ everywhere: 1 - 2·½ / (½ + 1)
    assert (logits.grad < 0).all()


def test_sums_run_over_the_whole_batch(batch):
    """An image without the class does not pull the score down by itself."""
    labels = torch.zeros(2, 4, 4, dtype=torch.long)
    labels[0] = 1
    logits = torch.where(labels == 1, 100.0, -100.0)[:, None]

    assert Dice()(logits, labels).item() == pytest.approx(0, abs=1e-6)


def test_class_weights_change_nothing(batch):
    logits, labels = batch(3, 3)

    torch.testing.assert_close(Dice(class_weights=(1.0, 5.0, 9.0))(logits, labels), Dice()(logits, labels))
