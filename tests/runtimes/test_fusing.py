"""Convolutions with their activations in one: the same logits, and the network as it was where torch cannot."""

import pytest
import torch
from tests.runtimes.networks import difference, images_for, logits_of, network_of
from torch import nn

from maskwright.devices import DeviceSettings, choose, lay_channels_last
from maskwright.runtimes import fusing, runtimes
from maskwright.runtimes.folding import folded
from maskwright.runtimes.fusing import FusedConvolution, can_fuse, fused


def ready(**settings):
    network = folded(network_of(**settings))
    lay_channels_last(network)
    return network


def count(network, kind):
    return sum(isinstance(module, kind) for module in network.modules())


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "silu"])
def test_every_convolution_of_a_plain_network_takes_its_activation_along(activation):
    assert can_fuse(), "torch for x86 and ARM has oneDNN"
    network = ready(activation=activation, depth=1)

    out = fused(network)

    assert count(out, FusedConvolution) == count(network, nn.Conv2d) - 1  # the head has no activation
    assert count(out, nn.ReLU | nn.LeakyReLU | nn.GELU | nn.SiLU) == 0
    images = images_for(network, 3, 2, 5)
    assert difference(logits_of(out, images), logits_of(network, images)) <= 1e-5
    assert count(network, FusedConvolution) == 0  # a copy


def test_norms_that_stay_keep_activations_apart():
    network = ready(norm="instance")

    out = fused(network)

    assert count(out, nn.ReLU) == count(network, nn.ReLU)
    images = images_for(network, 1, 2)
    assert difference(logits_of(out, images), logits_of(network, images)) <= 1e-5


def test_strides_groups_and_kernels_are_kept():
    torch.manual_seed(0)
    for layer in (
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 7, padding=3, groups=4, bias=False),
        nn.Conv2d(4, 6, 3, dilation=2),
        nn.Conv2d(1, 3, 1),
    ):
        layer.requires_grad_(False)
        images = torch.randn(2, layer.in_channels, 9, 11)
        assert difference(FusedConvolution(layer, nn.ReLU())(images), layer(images).relu()) <= 1e-5


def refuse(*_):
    raise RuntimeError("this torch computes nothing of the kind")


def err(network):
    network.head.bias.data += 1


@pytest.mark.parametrize(("name", "instead"), [("can_fuse", lambda: False), ("fuse", refuse), ("fuse", err)])
def test_where_torch_cannot_or_errs_the_network_comes_back_as_it_was(monkeypatch, name, instead):
    network = ready()
    monkeypatch.setattr(fusing, name, instead)
    images = images_for(network, 1, 2)
    expected = logits_of(network, images)

    assert fused(network) is network
    assert torch.equal(logits_of(network, images), expected)


def test_mixed_precision_is_computed_by_autocast():
    network = network_of()
    images = images_for(network, 1, 3)
    expected = logits_of(network, images)

    half = runtimes["torch"].prepare(network, DeviceSettings(name="cpu", precision="bf16-mixed"))(images)
    whole = runtimes["torch"].prepare(network, choose("cpu"))(images)

    assert difference(whole, expected) <= 1e-5 < difference(half, expected) < 0.1
