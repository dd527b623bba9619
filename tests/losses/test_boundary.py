import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.losses.boundary import Boundary, signed_distances
from maskwright.records import IGNORED


def by_loops(labels, k):
    """Each pixel against each: the nearest of the class, or the nearest known pixel that is not of it."""
    inside = np.argwhere(labels == k)
    outside = np.argwhere((labels != k) & (labels != IGNORED))
    found = np.zeros(labels.shape)
    if len(inside) and len(outside):
        for place in np.ndindex(*labels.shape):
            others, sign = (outside, -1) if labels[place] == k else (inside, 1)
            found[place] = sign * (min(math.dist(place, other) for other in others) - 0.5)
    return found


@given(seed=st.integers(0, 999), classes=st.integers(1, 3), size=st.sampled_from([(2, 4, 5), (1, 2, 3, 4)]))
def test_distances_agree_with_loops(batch, seed, classes, size):
    _, labels = batch(seed, max(2, classes), size=size)

    found = signed_distances(labels, classes)

    assert found.dtype == torch.float32
    for b, k in np.ndindex(size[0], classes):
        np.testing.assert_allclose(found[b, k], by_loops(labels[b].numpy(), 1 if classes == 1 else k), rtol=1e-5)


def test_the_sign_is_negative_inside():
    labels = torch.tensor([[[0, 0, 1, 1, 1, 0]]])

    assert signed_distances(labels, 1).flatten().tolist() == [1.5, 0.5, -0.5, -1.5, -0.5, 0.5]
    assert signed_distances(labels, 2)[:, 0].flatten().tolist() == [-1.5, -0.5, 0.5, 1.5, 0.5, -0.5]


def test_pixels_that_may_be_either_are_no_boundary():
    labels = torch.tensor([[[0, IGNORED, IGNORED, 1]]])

    assert signed_distances(labels, 1).flatten().tolist() == [2.5, 1.5, 0.5, -2.5]


@given(seed=st.integers(0, 999), classes=st.integers(1, 3), background=st.booleans())
def test_it_is_the_mean_of_distance_times_probability(batch, shares, seed, classes, background):
    logits, labels = batch(seed, max(2, classes), classes)
    first = 0 if background or classes == 1 else 1
    total, pixels = 0.0, 0
    for b, (p, _) in enumerate(shares(logits, labels)):
        counted = labels[b].numpy().reshape(-1) != IGNORED
        for k in range(first, classes):
            total += (by_loops(labels[b].numpy(), 1 if classes == 1 else k).reshape(-1)[counted] * p[k]).sum()
        pixels += counted.sum()

    found = Boundary(background=background)(logits, labels).item()

    assert found == pytest.approx(total / max(1, pixels) / (classes - first), rel=1e-4, abs=1e-6)


def test_the_right_mask_is_the_lowest_and_a_far_mistake_costs_more_than_a_near_one():
    labels = torch.zeros(1, 9, 9, dtype=torch.long)
    labels[:, 3:6, 3:6] = 1

    def cost(y, x):
        logits = torch.where(labels == 1, 100.0, -100.0)[:, None]
        logits[0, 0, y, x] *= -1
        return Boundary()(logits, labels).item()

    right = Boundary()(torch.where(labels == 1, 100.0, -100.0)[:, None], labels).item()
    assert right < 0
    assert right < cost(4, 2) < cost(4, 0) < cost(0, 0)
    assert right < cost(3, 3) < cost(4, 4)


def test_distances_may_be_given(batch):
    logits, labels = batch(1, 3)

    torch.testing.assert_close(
        Boundary()(logits, labels, distances=signed_distances(labels, 3)), Boundary()(logits, labels)
    )
    assert Boundary()(logits, labels, distances=torch.zeros(2, 3, 5, 4)).item() == 0


def test_a_class_that_fills_the_image_or_is_not_there_has_no_say():
    for value in (0, 1):
        labels = torch.full((1, 4, 4), value)
        assert Boundary(background=True)(torch.randn(1, 2, 4, 4), labels).item() == 0


@pytest.mark.parametrize("background", [True, False])
def test_it_is_monai_s_half_a_pixel_further_in(batch, background):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(2, 3, size=(2, 8, 8), ignored=0)
    distances = signed_distances(labels, 3)

    theirs = monai.BoundaryLoss(include_background=background, softmax=True, to_onehot_y=True)

    torch.testing.assert_close(
        Boundary(background=background)(logits, labels, distances=distances + 0.5),
        theirs(logits, labels[:, None]),
    )
