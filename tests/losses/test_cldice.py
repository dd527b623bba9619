import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.losses.cldice import ClDice, centre_line
from maskwright.records import IGNORED


def neighbours(values, place, *, corners):
    """The values at a pixel and around it, along the axes or all about; none beyond the edge."""
    around = []
    for step in np.ndindex(*[3] * values.ndim):
        step = np.array(step) - 1
        there = tuple(np.array(place) + step)
        inside = all(0 <= i < n for i, n in zip(there, values.shape, strict=True))
        if inside and (corners or np.abs(step).sum() <= 1):
            around.append(values[there])
    return around


def by_loops(values, iterations):
    """The skeleton, pixel by pixel."""

    def each(rule, values, corners):
        return np.array(
            [rule(neighbours(values, place, corners=corners)) for place in np.ndindex(*values.shape)]
        ).reshape(values.shape)

    line = np.zeros_like(values)
    for _ in range(iterations + 1):
        eroded = each(min, values, False)
        thin = np.maximum(0, values - each(max, eroded, True))
        line = line + np.maximum(0, thin - line * thin)
        values = eroded
    return line


@settings(max_examples=20)
@given(seed=st.integers(0, 999), size=st.sampled_from([(5, 6), (3, 4, 3)]), iterations=st.integers(1, 3))
def test_the_centre_line_agrees_with_loops(seed, size, iterations):
    values = np.random.default_rng(seed).random(size)

    found = centre_line(torch.from_numpy(values)[None, None], iterations)[0, 0]

    np.testing.assert_allclose(found, by_loops(values, iterations))


def test_the_centre_line_of_a_bar_is_its_middle():
    bar = torch.zeros(1, 1, 9, 20)
    bar[..., 2:7, 2:18] = 1

    line = centre_line(bar, 4)[0, 0]

    assert line[4, 4:16].all()
    assert not line[[2, 3, 5, 6], 5:15].any()


def tube(gap=0, width=3, length=24):
    """Labels with a tube across them, with a gap in its middle."""
    labels = torch.zeros(1, 13, length, dtype=torch.long)
    labels[:, 6 - width // 2 : 7 + width // 2] = 1
    middle = length // 2
    labels[:, :, middle - gap // 2 : middle + (gap + 1) // 2] *= 0 if gap else 1
    return labels


def said(labels):
    return torch.where(labels == 1, 20.0, -20.0)[:, None]


def test_a_gap_costs_and_the_width_does_not():
    whole = tube()
    cost = {
        name: ClDice()(said(other), whole).item()
        for name, other in (
            ("same", tube()),
            ("thin", tube(width=1)),
            ("wide", tube(width=5)),
            ("gap", tube(4)),
            ("wider gap", tube(8)),
        )
    }

    assert cost["same"] == pytest.approx(0, abs=1e-6)
    assert cost["thin"] < 0.01
    assert cost["wide"] < 0.01
    assert 0.05 < cost["gap"] < cost["wider gap"]


def test_too_few_iterations_miss_the_middle_of_a_wide_tube():
    wide = torch.zeros(1, 1, 21, 21)
    wide[..., 3:18, :] = 1

    assert not centre_line(wide, 3)[0, 0, 10, 8:13].any()
    assert centre_line(wide, 8)[0, 0, 10, 8:13].all()


@settings(max_examples=15)
@given(seed=st.integers(0, 99), classes=st.integers(1, 3), per=st.sampled_from(["batch", "image"]))
def test_it_is_the_harmonic_mean_of_precision_and_recall_of_lines(batch, seed, classes, per):
    logits, labels = batch(seed, max(2, classes), classes, size=(2, 4, 4))
    counted = (labels != IGNORED).numpy()
    p = (logits.sigmoid() if classes == 1 else logits.softmax(1)).numpy()
    means = []
    for group in [[0, 1]] if per == "batch" else [[0], [1]]:
        found = []
        for k in range(0 if classes == 1 else 1, classes):
            pairs = [(p[b, k] * counted[b], (labels[b].numpy() == (1 if classes == 1 else k)) * 1.0) for b in group]
            if not any(t.any() for _, t in pairs):
                continue
            lines = [(by_loops(q, 2), by_loops(t, 2), q, t) for q, t in pairs]
            precision = (sum((a * t).sum() for a, _, _, t in lines) + 1) / (sum(a.sum() for a, _, _, _ in lines) + 1)
            recall = (sum((b * q).sum() for _, b, q, _ in lines) + 1) / (sum(b.sum() for _, b, _, _ in lines) + 1)
            found.append(1 - 2 * precision * recall / (precision + recall))
        means += [np.mean(found)] if found else []

    loss = ClDice(iterations=2, per=per)(logits, labels).item()

    assert loss == pytest.approx(np.mean(means) if means else 0, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("size", [(2, 12, 12), (2, 6, 7, 8)])
def test_it_is_monai_s(batch, size):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(1, 2, 1, size=size, ignored=0)

    theirs = monai.SoftclDiceLoss(iter_=3, sigmoid=True, smooth=1e-12)(logits, labels[:, None].float())

    torch.testing.assert_close(ClDice(iterations=3, per="image")(logits, labels), theirs)
