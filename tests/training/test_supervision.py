import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.training.supervision import cropped, finest


def painted(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 3, (2, *size), generator=generator).to(torch.uint8)


def logits_of(size, seed=1):
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))


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
