import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from maskwright.devices import lay_channels_last
from maskwright.model import UNet
from maskwright.model.gradients import by_products, weight_gradient

LAST = torch.channels_last


def slow(features, change, border):
    """Place by place: the sum over pixels of what came in there times what is asked for."""
    padded = nn.functional.pad(features.double(), (border,) * 4)
    H, W = change.shape[2:]
    places = [
        torch.einsum("bohw,bihw->oi", change.double(), padded[:, :, y : y + H, x : x + W])
        for y in range(3)
        for x in range(3)
    ]
    return torch.stack(places, dim=-1).unflatten(-1, (3, 3))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(3, 70),
    st.integers(3, 40),
    st.sampled_from([0, 1]),
    st.integers(0, 99),
)
def test_the_gradient_is_the_sum_over_pixels(images, channels_in, channels_out, height, width, border, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(images, channels_in, height, width, generator=generator).contiguous(memory_format=LAST)
    less = 2 - 2 * border
    change = torch.randn(images, channels_out, height - less, width - less, generator=generator)

    found = weight_gradient(features, change.contiguous(memory_format=LAST), border)

    torch.testing.assert_close(found.double(), slow(features, change, border), rtol=1e-4, atol=1e-3)


def gradients(layer, features, change):
    """Of what came in, of the kernel, of the bias."""
    features = features.clone(memory_format=torch.preserve_format).requires_grad_()
    out = layer(features)
    out.backward(change)
    return out.detach(), features.grad, *(p.grad for p in layer.parameters())


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", [(32, 32), (40, 17), (8, 130)])
def test_a_layer_gives_what_torch_gives(padding, bias, widths):
    torch.manual_seed(0)
    layer = nn.Conv2d(*widths, 3, padding=padding, bias=bias).to(memory_format=LAST)
    other = copy.deepcopy(layer)
    by_products(other)
    assert type(other) is not nn.Conv2d
    assert isinstance(other, nn.Conv2d)
    features = torch.randn(2, widths[0], 9, 12).contiguous(memory_format=LAST)
    change = torch.randn(2, widths[1], 7 + 2 * padding, 10 + 2 * padding)

    expected, found = gradients(layer, features, change), gradients(other, features, change)

    assert torch.equal(found[0], expected[0])
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-3)


def test_only_layers_that_gain_are_changed():
    layers = nn.Sequential(
        nn.Conv2d(64, 64, 3, stride=2, padding=1),
        nn.Conv2d(64, 64, 1),
        nn.Conv2d(64, 64, 3, padding=1, groups=2),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2),
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(64, 64, 3, padding="same"),
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ConvTranspose2d(64, 64, 3),
        nn.Conv3d(64, 64, 3, padding=1),
    )
    before = [type(layer) for layer in layers]

    by_products(layers)

    assert [type(layer) for layer in layers] == before


def test_a_frozen_layer_hands_on_what_comes_back():
    """No gradient of the kernel is asked for; that of the features is."""
    layer = nn.Conv2d(32, 32, 3, padding=1).to(memory_format=LAST)
    by_products(layer)
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    features = torch.randn(1, 32, 6, 6).contiguous(memory_format=LAST).requires_grad_()

    layer(features).sum().backward()

    assert features.grad is not None
    assert layer.weight.grad is None


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_network_learns_the_same_and_keeps_the_names_of_its_weights(padding):
    torch.manual_seed(0)
    settings = {"depth": 2, "base": 24, "padding": padding}
    network = UNet(1, 2, **settings)
    other = copy.deepcopy(network)
    for each in (network, other):
        lay_channels_last(each)
    by_products(other)
    images = torch.randn(2, 1, 44, 44).contiguous(memory_format=LAST)

    changes = []
    for each in (network, other):
        each(images).square().mean().backward()
        changes.append({name: p.grad for name, p in each.named_parameters()})

    assert list(network.state_dict()) == list(other.state_dict())
    assert sum(type(m).__name__ == "_ConvolutionByProducts" for m in other.modules()) >= 6
    for name, expected in changes[0].items():
        scale = float(expected.abs().max())
        torch.testing.assert_close(changes[1][name], expected, rtol=1e-3, atol=1e-4 * scale, msg=name)
    with torch.no_grad():
        assert torch.equal(network.eval()(images), other.eval()(images))
    again = UNet(1, 2, **settings)
    again.load_state_dict(other.state_dict())
