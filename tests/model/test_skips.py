import pytest
import torch

from maskwright.errors import SettingError
from maskwright.model import UNetRecord
from maskwright.model.skips import Gate, Join


def test_a_skip_is_cropped_and_comes_first():
    skip, below = torch.randn(2, 3, 8, 10), torch.randn(2, 4, 6, 4)

    join = Join(UNetRecord(), 3, 4)

    assert join.channels == 7
    assert torch.equal(join(skip, below), torch.cat([skip[..., 1:7, 3:7], below], dim=1))


def test_a_sum_is_a_sum():
    skip, below = torch.randn(2, 4, 8, 10), torch.randn(2, 4, 6, 4)

    join = Join(UNetRecord(skip="add"), 4, 4)

    assert join.channels == 4
    assert torch.equal(join(skip, below), skip[..., 1:7, 3:7] + below)


def test_unequal_widths_cannot_be_added():
    with pytest.raises(
        SettingError, match=r"skip of the encoder has 64 channels, what comes up has 32.*decoder_widths"
    ):
        Join(UNetRecord(skip="add", encoder={"name": "resnet34"}), 64, 32)


@pytest.mark.parametrize(("kind", "channels"), [("none", 3), ("concat", None), ("add", None), ("attention", None)])
def test_without_a_skip_what_comes_up_goes_on_alone(kind, channels):
    below = torch.randn(2, 4, 6, 4)

    join = Join(UNetRecord(skip=kind), channels, 4)

    assert join.channels == 4
    assert join(None if channels is None else torch.randn(2, 3, 6, 4), below) is below
    assert not list(join.parameters())


def test_the_gate_is_its_paper_s():
    """α = σ(ψ · relu(Wx · x + Wg · g + b) + b'), a pixel at a time, by hand."""
    torch.manual_seed(0)
    gate = Gate(UNetRecord(skip="attention"), 6, 4)
    skip, below = torch.randn(2, 6, 3, 5), torch.randn(2, 4, 3, 5)

    found = gate(skip, below)

    x, g = skip[1, :, 2, 3], below[1, :, 2, 3]
    between = gate.of_skip.weight[:, :, 0, 0] @ x + gate.of_below.weight[:, :, 0, 0] @ g + gate.of_below.bias
    score = gate.decide[1].weight[:, :, 0, 0] @ between.relu() + gate.decide[1].bias
    assert between.shape == (3,)
    torch.testing.assert_close(found[1, :, 2, 3], x / (1 + torch.exp(-score)))


def test_a_gate_can_shut_and_open():
    gate = Gate(UNetRecord(skip="attention"), 6, 4)
    skip, below = torch.randn(2, 6, 3, 5), torch.randn(2, 4, 3, 5)
    torch.nn.init.zeros_(gate.decide[1].weight)

    for bias, left in ((-1e9, 0.0), (1e9, 1.0)):
        torch.nn.init.constant_(gate.decide[1].bias, bias)
        torch.testing.assert_close(gate(skip, below), left * skip)
