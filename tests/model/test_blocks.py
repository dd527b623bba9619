import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from maskwright.model import UNet, UNetRecord, blocks

SETTINGS = [
    {"block": block, "norm": norm, "up": up, "down": down, "padding": padding, "stem": stem}
    for block, norm, up, down, (padding, stem) in itertools.product(
        ("plain", "residual"),
        ("batch", "instance", "group", "none"),
        ("transposed", "bilinear"),
        ("max", "strided"),
        (("same", 1), ("same", 2), ("same", 4), ("valid", 1)),
    )
]


@pytest.mark.parametrize("dropout", [0.0, 0.5], ids=["", "dropout"])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))
def test_every_setting_builds_takes_two_steps_and_teaches_every_parameter(setting, dropout):
    torch.manual_seed(0)
    network = UNet(1, 2, depth=1, base=4, activation="silu", dropout=dropout, dropout_at="all", **setting).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001)
    images = torch.randn(4, 1, 24, 24)

    for _ in range(2):
        optimizer.zero_grad()
        network(images).square().mean().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name
        optimizer.step()

    assert network.eval()(images).isfinite().all()


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "silu"])
def test_every_activation_builds_and_is_used(activation):
    network = UNet(depth=1, base=2, activation=activation)

    assert network(torch.randn(2, 3, 8, 8)).isfinite().all()
    assert sum(isinstance(layer, blocks.ACTIVATIONS[activation]) for layer in network.modules()) == 6


@pytest.mark.parametrize(("channels", "groups"), [(32, 8), (20, 5), (7, 7), (13, 1), (12, 6), (4, 4), (1, 1)])
def test_group_norm_finds_groups_for_awkward_widths(channels, groups):
    record = UNetRecord(norm="group", groups=8)

    assert blocks.norm(record, channels).num_groups == groups


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_our_norms_are_pytorch_s(norm):
    features = torch.randn(3, 8, 5, 6)
    ours = blocks.norm(UNetRecord(norm=norm, groups=4), 8)
    for parameter in ours.parameters():
        nn.init.normal_(parameter)

    expected = (F.instance_norm if norm == "instance" else F.group_norm)(
        features, *([] if norm == "instance" else [4]), weight=ours.weight, bias=ours.bias
    )

    torch.testing.assert_close(ours(features), expected)


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_a_norm_of_one_value_gives_its_bias(norm):
    ours = blocks.norm(UNetRecord(norm=norm), 8)
    nn.init.normal_(ours.bias)

    torch.testing.assert_close(ours(torch.randn(1, 8, 1, 1)), ours.bias.reshape(1, 8, 1, 1), atol=1e-3, rtol=1e-3)


def test_there_is_no_bias_before_a_norm():
    for norm in ("batch", "instance", "group"):
        unit = blocks.convolution(UNetRecord(norm=norm), 3, 8)
        assert unit[0].bias is None, norm
    assert blocks.convolution(UNetRecord(norm="none"), 3, 8)[0].bias is not None


def test_a_residual_block_of_silent_convolutions_passes_its_input_on():
    record = UNetRecord(block="residual", norm="none")
    block = blocks.block(record, 4, 4, level=0, count=2)
    for convolution in block.convolutions:
        nn.init.zeros_(convolution[0].weight)
        nn.init.zeros_(convolution[0].bias)
    features = torch.randn(2, 4, 6, 7)

    torch.testing.assert_close(block(features), features.relu())


def test_a_valid_residual_block_passes_the_middle_of_its_input_on():
    record = UNetRecord(block="residual", norm="none", padding="valid")
    block = blocks.block(record, 4, 4, level=0, count=2)
    for convolution in block.convolutions:
        nn.init.zeros_(convolution[0].weight)
        nn.init.zeros_(convolution[0].bias)
    features = torch.randn(2, 4, 9, 8)

    torch.testing.assert_close(block(features), features[..., 2:-2, 2:-2].relu())


def test_a_residual_block_adds_before_it_activates():
    torch.manual_seed(0)
    block = blocks.block(UNetRecord(block="residual", norm="none"), 3, 5, level=0, count=2)
    features = torch.randn(1, 3, 6, 6)
    (first, _), (second, _) = ((unit[0], unit[1]) for unit in block.convolutions)

    expected = (second(first(features).relu()) + block.shortcut(features)).relu()

    torch.testing.assert_close(block(features), expected)


def test_dropout_silences_whole_channels_in_training_only():
    torch.manual_seed(0)
    block = blocks.block(UNetRecord(dropout=0.5, dropout_at="all", norm="none", activation="gelu"), 1, 64, 0, 1)
    features = torch.randn(1, 1, 8, 8)

    silent = (block.train()(features) == 0).flatten(2)

    assert 0.2 < silent.all(dim=2).float().mean() < 0.8
    assert (silent.all(dim=2) == silent.any(dim=2)).all()
    assert not (block.eval()(features) == 0).any()


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kind", ["max", "strided"])
def test_down_halves_and_up_doubles(kind, padding):
    record = UNetRecord(down=kind, padding=padding)

    assert blocks.down(record, 4)(torch.randn(2, 4, 10, 6)).shape == (2, 4, 5, 3)
    for up in ("transposed", "bilinear"):
        assert blocks.up(UNetRecord(up=up, padding=padding), 4, 3)(torch.randn(2, 4, 5, 3)).shape == (2, 3, 10, 6)


def test_the_1x1_convolution_commutes_with_the_enlargement():
    up = blocks.up(UNetRecord(up="bilinear"), 4, 3)
    features = torch.randn(2, 4, 5, 6)

    torch.testing.assert_close(up(features), up[0](up[1](features)), atol=1e-5, rtol=1e-5)


@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), less=st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_crop_takes_the_middle(size, less):
    features = torch.arange(81.0).reshape(1, 1, 9, 9)[..., : size[0] + 2 * less[0], : size[1] + 2 * less[1]]
    size = features.shape[-2] - 2 * less[0], features.shape[-1] - 2 * less[1]
    if min(size) < 1:
        return

    cut = blocks.crop(features, size)

    whole = F.pad(cut, (less[1], less[1], less[0], less[0]))
    assert cut.shape[-2:] == size
    assert ((whole == features) | (whole == 0)).all()


def test_he_normal_has_variance_two_over_fan_in_and_is_cut_at_two_deviations():
    torch.manual_seed(0)
    network = UNet(3, 2, depth=2, base=48, norm="none")
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    layers.remove(network.head)

    for layer in layers:
        # An output pixel sums over channels × 9 weights; of a transposed 2×2 one with stride 2, over channels.
        fan_in = layer.in_channels * (9 if isinstance(layer, nn.Conv2d) else 1)
        few = layer.weight.numel() < 5000
        assert layer.weight.var().item() == pytest.approx(2 / fan_in, rel=0.15 if few else 0.05)
        cut = 2 * (2 / fan_in) ** 0.5 / 0.8796  # Keras widens the normal so that what is left has the variance
        assert 0.9 * cut < layer.weight.abs().max() <= cut * 1.0001
        assert not layer.bias.any()


def test_he_normal_keeps_the_signal_s_size_through_a_deep_network():
    torch.manual_seed(0)
    network = UNet(8, 2, depth=1, base=64, convolutions=8, norm="none")
    features = torch.randn(1, 8, 32, 32)

    out = network.encoder[0](features)

    assert 0.3 < out.square().mean() / features.square().mean() < 3


def test_the_head_starts_with_no_opinion():
    torch.manual_seed(0)
    network = UNet(3, 4, depth=3, base=16).eval()

    probabilities = network(torch.randn(2, 3, 32, 32)).softmax(dim=1)

    assert (probabilities - 0.25).abs().max() < 0.1


def test_init_torch_leaves_what_the_layers_come_with():
    torch.manual_seed(0)
    untouched = UNet(depth=1, base=4, init="torch").encoder[0].convolutions[0][0]
    torch.manual_seed(0)

    torch.testing.assert_close(untouched.weight, nn.Conv2d(3, 4, 3, bias=False).weight, rtol=0, atol=0)
