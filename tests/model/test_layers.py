import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from maskwright.model import UNet, UNetRecord, layers


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "silu"])
def test_every_activation_builds_and_is_used(activation):
    network = UNet(depth=1, base=2, activation=activation)

    assert network(torch.randn(2, 3, 8, 8)).isfinite().all()
    assert sum(isinstance(layer, layers.ACTIVATIONS[activation]) for layer in network.modules()) == 6


@pytest.mark.parametrize(("channels", "groups"), [(32, 8), (20, 5), (7, 7), (13, 1), (12, 6), (4, 4), (1, 1)])
def test_group_norm_finds_groups_for_awkward_widths(channels, groups):
    record = UNetRecord(norm="group", groups=8)

    assert layers.norm(record, channels).num_groups == groups


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("norm", ["instance", "group"])
def test_our_norms_are_pytorch_s(norm, dims):
    features = torch.randn(3, 8, *(5, 6, 4)[:dims])
    ours = layers.norm(UNetRecord(norm=norm, groups=4, dims=dims), 8)
    for parameter in ours.parameters():
        nn.init.normal_(parameter)

    expected = (F.instance_norm if norm == "instance" else F.group_norm)(
        features, *([] if norm == "instance" else [4]), weight=ours.weight, bias=ours.bias
    )

    torch.testing.assert_close(ours(features), expected)


def test_the_layer_norm_is_over_the_channels_of_each_pixel():
    features = torch.randn(2, 5, 3, 4) * 7 + 2
    ours = layers.norm(UNetRecord(norm="layer"), 5)
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)

    found = ours(features)

    for b, y, x in ((0, 0, 0), (1, 2, 3), (0, 1, 2)):
        pixel = features[b, :, y, x]
        expected = (pixel - pixel.mean()) / (pixel.var(correction=0) + 1e-5).sqrt() * ours.weight + ours.bias
        torch.testing.assert_close(found[b, :, y, x], expected)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("norm", ["instance", "group"])
def test_a_norm_of_one_value_gives_its_bias(norm, dims):
    ours = layers.norm(UNetRecord(norm=norm, dims=dims), 8)
    nn.init.normal_(ours.bias)
    shape = (1, 8, *[1] * dims)

    torch.testing.assert_close(ours(torch.randn(shape)), ours.bias.reshape(shape), atol=1e-3, rtol=1e-3)


def test_there_is_no_bias_before_a_norm():
    for norm in ("batch", "instance", "group", "layer"):
        assert layers.unit(UNetRecord(norm=norm), 3, 8)[0].bias is None, norm
        # An activation stands between.
        assert layers.unit(UNetRecord(norm=norm, norm_order="after"), 3, 8)[0].bias is not None, norm
    assert layers.unit(UNetRecord(norm="none"), 3, 8)[0].bias is not None


@pytest.mark.parametrize(("order", "kinds"), [("before", ["BatchNorm2d", "ReLU"]), ("after", ["ReLU", "BatchNorm2d"])])
def test_the_norm_stands_before_the_activation_or_after_it(order, kinds):
    unit = layers.unit(UNetRecord(norm_order=order), 3, 8)

    assert [type(layer).__name__ for layer in unit[1:]] == kinds


def test_what_is_activated_before_its_norm_is_not_changed_itself():
    for settings in ({"norm": "none"}, {"norm_order": "after"}, {}):
        record = UNetRecord(**settings)
        features = torch.randn(2, 4, 3, 3)
        kept = features.clone()

        nn.Sequential(*layers.norm_and_activation(record, 4, in_place=False))(features)

        assert torch.equal(features, kept), settings


@pytest.mark.parametrize(("unit", "whole_channels"), [("channel", True), ("value", False)])
@pytest.mark.parametrize("dims", [2, 3])
def test_dropout_silences_channels_or_values(unit, whole_channels, dims):
    torch.manual_seed(0)
    silent = layers.dropout(UNetRecord(dropout_unit=unit, dims=dims), 0.5)(torch.ones(4, 32, *[4] * dims)) == 0

    assert 0.3 < silent.float().mean() < 0.7
    assert (silent.flatten(2).all(dim=2) == silent.flatten(2).any(dim=2)).all() == whole_channels


@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), less=st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_crop_takes_the_middle(size, less):
    features = torch.arange(81.0).reshape(1, 1, 9, 9)[..., : size[0] + 2 * less[0], : size[1] + 2 * less[1]]
    size = features.shape[-2] - 2 * less[0], features.shape[-1] - 2 * less[1]
    if min(size) < 1:
        return

    cut = layers.crop(features, size)

    whole = F.pad(cut, (less[1], less[1], less[0], less[0]))
    assert cut.shape[-2:] == size
    assert ((whole == features) | (whole == 0)).all()


def test_crop_takes_the_middle_of_a_volume():
    features = torch.arange(5 * 7 * 3.0).reshape(1, 1, 5, 7, 3)

    assert torch.equal(layers.crop(features, (3, 3, 3)), features[..., 1:4, 2:5, :])


@pytest.mark.parametrize(("init", "dims"), [("he_truncated", 2), ("he_truncated", 3), ("he_normal", 2)])
@pytest.mark.parametrize("up", ["transposed", "transposed3"])
def test_he_normal_has_variance_two_over_fan_in(init, dims, up):
    torch.manual_seed(0)
    network = UNet(3, 2, depth=2, base=48 if dims == 2 else 16, norm="none", init=init, up=up, dims=dims)
    transposed = nn.ConvTranspose2d | nn.ConvTranspose3d
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Conv3d | transposed)]
    convolutions.remove(network.head)

    for layer in convolutions:
        # An output pixel sums over channels × 9 weights; of a transposed 2×2 one with stride 2, over channels; of a
        # 3×3 one, over 9 / 4 of them on average.
        weights = 3**dims if not isinstance(layer, transposed) else 1 if up == "transposed" else 1.5**dims
        fan_in = layer.in_channels * weights
        few = layer.weight.numel() < 5000
        assert layer.weight.var().item() == pytest.approx(2 / fan_in, rel=0.15 if few else 0.05)
        cut = 2 * (2 / fan_in) ** 0.5 / 0.8796  # Keras widens the normal so that what is left has the variance
        if init == "he_truncated":
            assert 0.9 * cut < layer.weight.abs().max() <= cut * 1.0001
        elif not few:
            assert layer.weight.abs().max() > 1.2 * cut
        assert not layer.bias.any()


def test_he_normal_keeps_the_signal_s_size_through_a_deep_network():
    torch.manual_seed(0)
    network = UNet(8, 2, depth=1, base=64, convolutions=8, norm="none")
    features = torch.randn(1, 8, 32, 32)

    out = network.encoder(features)[0]

    assert 0.3 < out.square().mean() / features.square().mean() < 3


def test_the_head_starts_with_no_opinion():
    torch.manual_seed(0)
    network = UNet(3, 4, depth=3, base=16).eval()

    probabilities = network(torch.randn(2, 3, 32, 32)).softmax(dim=1)

    assert (probabilities - 0.25).abs().max() < 0.1


def test_init_torch_leaves_what_the_layers_come_with():
    torch.manual_seed(0)
    untouched = UNet(depth=1, base=4, init="torch").encoder.blocks[0][0].convolutions[0][0]
    torch.manual_seed(0)

    torch.testing.assert_close(untouched.weight, nn.Conv2d(3, 4, 3, bias=False).weight, rtol=0, atol=0)
