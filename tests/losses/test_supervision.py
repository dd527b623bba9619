import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.losses import losses, supervised
from maskwright.losses.supervision import in_the_middle
from maskwright.records import IGNORED


def test_a_plain_tensor_gives_the_loss_itself(batch):
    logits, labels = batch(0, 3)
    weights = torch.rand(labels.shape)
    loss = losses["cross_entropy"]()

    assert torch.equal(supervised(loss, logits, labels), loss(logits, labels))
    assert torch.equal(supervised(loss, logits, labels, weights), loss(logits, labels, weights))
    assert torch.equal(supervised(loss, [logits], labels, weights), loss(logits, labels, weights))


@pytest.mark.parametrize("size", [(2, 16, 12), (1, 8, 16, 12)])
def test_coarser_outputs_count_half_as_much_each(batch, size):
    logits, labels = batch(1, 3, size=size)
    step = (
        [
            logits,
            *(torch.nn.functional.avg_pool2d(logits.flatten(0, -4), 2**i).view(2, 3, 16 // 2**i, -1) for i in (1, 2)),
        ]
        if len(size) == 3
        else [logits, logits[..., ::2, ::2, ::2], logits[..., ::4, ::4, ::4]]
    )
    weights = torch.rand(labels.shape)
    loss = losses["cross_entropy"]()

    middle = [(..., *[slice(2**i // 2, None, 2**i)] * (len(size) - 1)) for i in range(3)]
    each = [loss(z, labels[cut], weights[cut]) for z, cut in zip(step, middle, strict=True)]

    torch.testing.assert_close(
        supervised(loss, step, labels, weights), (each[0] + each[1] / 2 + each[2] / 4) / (1 + 1 / 2 + 1 / 4)
    )


@given(old=st.integers(1, 40), share=st.floats(0.01, 1))
def test_each_cell_has_the_label_in_its_middle(old, share):
    new = max(1, int(old * share))
    found = in_the_middle(torch.arange(old), (new,)).tolist()

    for cell, label in enumerate(found):
        middle = (cell + 0.5) * old / new
        assert label <= middle <= label + 1
    assert len(found) == new


def test_labels_stay_labels_and_ignored_pixels_ignored():
    labels = torch.tensor([[[0, 0, 7, 7], [0, IGNORED, 7, 7]]], dtype=torch.uint8)

    found = in_the_middle(labels, (1, 2))

    assert found.dtype == torch.uint8
    assert found.tolist() == [[[IGNORED, 7]]]


def test_labels_a_channel_are_made_smaller_too(batch):
    logits, _ = batch(2, 3, size=(1, 4, 4))
    several = torch.randint(0, 2, logits.shape)
    loss = losses["binary_cross_entropy"]()

    found = supervised(loss, [logits, logits[..., :2, :2]], several)

    expected = (loss(logits, several) + loss(logits[..., :2, :2], several[..., 1::2, 1::2]) / 2) / 1.5
    torch.testing.assert_close(found, expected)


def test_the_gradient_reaches_every_output(batch):
    logits, labels = batch(3, 3, size=(1, 8, 8))
    outputs = [logits[..., ::step, ::step].clone().requires_grad_() for step in (1, 2, 4)]

    supervised(losses["dice"](), outputs, labels).backward()

    assert all(output.grad.any() for output in outputs)


def test_no_output_is_an_error(batch):
    with pytest.raises(SettingError, match="no logits"):
        supervised(losses["dice"](), [], batch(0, 2)[1])
