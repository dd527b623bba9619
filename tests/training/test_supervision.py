import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.losses import LossSettings, build
from maskwright.records import IGNORED
from maskwright.training.supervision import cropped, finest, supervised

loss = build(LossSettings())


def painted(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 3, (2, *size), generator=generator).to(torch.uint8)


def logits_of(size, seed=1):
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))


def weighted(logits, labels, weights=None):
    """A loss that tells what it was given."""
    amount = torch.ones(labels.shape) if weights is None else weights
    return (torch.nn.functional.cross_entropy(logits, labels.long(), reduction="none") * amount).sum()


def test_one_map_is_the_loss_itself():
    assert torch.equal(
        supervised(loss, logits_of((8, 6)), painted((8, 6)), None), loss(logits_of((8, 6)), painted((8, 6)))
    )


def test_several_maps_count_half_each_time_and_one_in_all():
    sizes = [(8, 12), (4, 6), (2, 3)]
    outputs = [logits_of(size, seed) for seed, size in enumerate(sizes)]
    labels = painted(sizes[0])
    by_hand = [loss(logits, labels[:, ::step, ::step]) for logits, step in zip(outputs, (1, 2, 4), strict=True)]

    found = supervised(loss, outputs, labels, None)

    torch.testing.assert_close(found, (4 * by_hand[0] + 2 * by_hand[1] + by_hand[2]) / 7)


def test_weights_reach_the_loss_at_every_size():
    outputs = (logits_of((4, 4)), logits_of((2, 2), 5))
    labels, weights = painted((4, 4)), torch.rand(2, 4, 4)
    small = weighted(outputs[1], labels[:, ::2, ::2], weights[:, ::2, ::2])

    found = supervised(weighted, outputs, labels, weights)

    torch.testing.assert_close(found, 2 / 3 * weighted(outputs[0], labels, weights) + small / 3)


def test_a_loss_that_knows_no_weights_is_not_asked_to():
    assert supervised(lambda logits, labels: logits.sum(), logits_of((2, 2)), painted((2, 2)), None)


def test_what_is_ignored_stays_ignored_and_the_gradient_reaches_every_map():
    outputs = [logits_of((6, 6)).requires_grad_(), logits_of((3, 3)).requires_grad_()]
    labels = torch.full((2, 6, 6), IGNORED, dtype=torch.uint8)
    assert supervised(loss, outputs, labels, None) == 0

    supervised(loss, outputs, painted((6, 6)), None).backward()
    assert all(logits.grad.abs().sum() > 0 for logits in outputs)


@given(high=st.integers(1, 9), wide=st.integers(1, 9), top=st.integers(0, 4), left=st.integers(0, 4))
def test_weights_are_cropped_as_labels_are(high, wide, top, left):
    labels = painted((high + 2 * top, wide + 2 * left))

    small, weights = cropped(labels, labels.float(), torch.Size((high, wide)))

    assert torch.equal(small.float(), weights)
    assert torch.equal(small, labels[:, top : top + high, left : left + wide])
    assert cropped(labels, None, torch.Size((high, wide)))[1] is None


@pytest.mark.parametrize("several", [True, False])
def test_the_finest_is_the_first(several):
    logits = logits_of((2, 2))

    assert finest((logits, logits_of((1, 1))) if several else logits) is logits
