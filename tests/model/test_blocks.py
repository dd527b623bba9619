import pytest
import torch
from torch import nn

from maskwright.model import UNetRecord, blocks
from maskwright.model.layout import BlockShape


def built(channels_in, channels_out, count=2, *, shape=None, **settings):
    return blocks.block(UNetRecord(**settings), BlockShape(channels_in, channels_out, count, **(shape or {})))


def silenced(block):
    """The block with convolutions that give nothing; its shortcut is what is left."""
    for layer in block.convolutions.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return block


def kinds(module):
    """The layers that do something, in order, as words."""
    names = {"Conv2d": "conv", "BatchNorm2d": "norm", "ReLU": "relu", "Dropout2d": "dropout"}
    return [names[type(m).__name__] for m in module.modules() if type(m).__name__ in names]


def test_a_plain_block_is_units_in_a_row():
    assert kinds(built(3, 8)) == ["conv", "norm", "relu"] * 2


@pytest.mark.parametrize(("order", "end"), [("before", ["conv", "norm", "relu"]), ("after", ["conv", "relu", "norm"])])
def test_one_norm_a_block_stands_at_its_end(order, end):
    block = built(3, 8, norm_at="block", norm_order=order)

    assert kinds(block) == ["conv", "relu", *end]
    assert block.convolutions[0][0].bias is not None


def test_a_residual_block_of_silent_convolutions_passes_its_input_on():
    features = torch.randn(2, 4, 6, 7)

    torch.testing.assert_close(silenced(built(4, 4, block="residual", norm="none"))(features), features.relu())


def test_a_valid_residual_block_passes_the_middle_of_its_input_on():
    features = torch.randn(2, 4, 9, 8)

    block = silenced(built(4, 4, block="residual", norm="none", padding="valid"))

    torch.testing.assert_close(block(features), features[..., 2:-2, 2:-2].relu())


@pytest.mark.parametrize("kind", ["residual", "preactivation", "bottleneck"])
def test_the_shortcut_of_a_block_that_halves_is_pooled(kind):
    features = torch.randn(2, 4, 8, 6)
    means = torch.nn.functional.avg_pool2d(features, 2)
    block = silenced(built(4, 4, block=kind, norm="none", shape={"stride": 2}))

    torch.testing.assert_close(block(features), means if kind == "preactivation" else means.relu())


def test_a_residual_block_adds_before_it_activates():
    torch.manual_seed(0)
    block = built(3, 5, block="residual", norm="none")
    features = torch.randn(1, 3, 6, 6)
    first, second = (unit[0] for unit in block.convolutions)

    expected = (second(first(features).relu()) + block.shortcut(features)).relu()

    torch.testing.assert_close(block(features), expected)


def test_with_the_norm_last_a_residual_block_adds_activates_and_normalises():
    torch.manual_seed(0)
    block = built(3, 5, block="residual", norm_order="after").eval()
    features = torch.randn(1, 3, 6, 6)
    (first, _, norm), (second,) = block.convolutions
    total = second(norm(first(features).relu())) + block.shortcut(features)

    torch.testing.assert_close(block(features), block.activation[1](total.relu()))


def test_a_bottleneck_works_at_a_quarter_of_its_width():
    block = built(8, 16, 2, block="bottleneck")
    layers = [layer for layer in block.convolutions.modules() if isinstance(layer, nn.Conv2d)]

    assert [(c.in_channels, c.out_channels, c.kernel_size[0]) for c in layers] == [
        (8, 4, 1), (4, 4, 3), (4, 4, 3), (4, 16, 1),
    ]  # fmt: skip
    assert [layer.stride[0] for layer in built(8, 16, 2, block="bottleneck", shape={"stride": 2}).convolutions.modules()
            if isinstance(layer, nn.Conv2d)] == [1, 2, 1, 1]  # fmt: skip


def test_a_preactivation_block_leaves_its_shortcut_alone():
    features = torch.randn(2, 4, 6, 7)
    kept = features.clone()

    for norm in ("batch", "none"):
        block = silenced(built(4, 4, block="preactivation", norm=norm))
        assert torch.equal(block(features), kept)
        assert torch.equal(features, kept)
        assert kinds(block) == (["norm", "relu", "conv"] if norm == "batch" else ["relu", "conv"]) * 2


def test_the_first_preactivation_block_sees_the_image_as_it_is():
    block = built(3, 8, block="preactivation", shape={"ready": True})

    assert kinds(block.convolutions) == ["conv", "norm", "relu", "conv"]
    assert kinds(block.first) == []


def test_where_the_channels_change_a_preactivation_block_s_shortcut_starts_from_its_first_activation():
    torch.manual_seed(0)
    block = silenced(built(3, 5, block="preactivation")).eval()
    features = torch.randn(1, 3, 6, 6)

    torch.testing.assert_close(block(features), block.shortcut(block.first(features)))


def test_a_convnext_unit_is_its_paper_s():
    torch.manual_seed(0)
    block = built(6, 6, 1, block="convnext", norm="layer", activation="gelu")
    depthwise, norm, widen, _, narrow, _ = block.convolutions[0].layers
    features = torch.randn(2, 6, 9, 9)

    expected = features + narrow(torch.nn.functional.gelu(widen(norm(depthwise(features)))))

    assert (depthwise.kernel_size, depthwise.groups, widen.out_channels) == ((7, 7), 6, 24)
    torch.testing.assert_close(block(features), expected)


def test_a_convnext_block_changes_width_and_resolution_before_its_units():
    block = built(6, 8, 2, block="convnext", shape={"stride": 2})

    assert (block.entry.kernel_size, block.entry.stride, block.entry.out_channels) == ((2, 2), (2, 2), 8)
    assert isinstance(built(8, 8, 2, block="convnext").entry, nn.Identity)


@pytest.mark.parametrize("kind", ["plain", "residual", "preactivation", "bottleneck", "convnext"])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_block_halves_where_it_is_told_to(kind, padding):
    block = built(4, 8, 1, block=kind, padding=padding, shape={"stride": 2})

    lost = 6 if kind == "convnext" and padding == "valid" else 0
    assert block(torch.randn(2, 4, 20, 16)).shape == (2, 8, 10 - lost, 8 - lost)


def test_squeeze_and_excitation_weighs_channels_by_the_whole_map():
    torch.manual_seed(0)
    squeeze = blocks.squeeze(UNetRecord(squeeze=2), 4)
    features = torch.randn(3, 4, 5, 6)
    first, _, second = squeeze.weigh

    narrow = (features.mean((2, 3)) @ first.weight[:, :, 0, 0].T + first.bias).relu()
    share = 1 / (1 + torch.exp(-(narrow @ second.weight[:, :, 0, 0].T + second.bias)))

    assert first.out_channels == 2
    torch.testing.assert_close(squeeze(features), features * share[:, :, None, None])


@pytest.mark.parametrize("kind", ["plain", "residual", "preactivation", "bottleneck", "convnext"])
def test_every_block_is_squeezed_before_its_sum(kind):
    """With excitation shut, nothing but the shortcut comes through."""
    block = built(4, 4, block=kind, squeeze=2, norm="none", activation="gelu")
    for module in block.modules():
        if isinstance(module, blocks.SqueezeExcitation):
            nn.init.zeros_(module.weigh[2].weight)
            nn.init.constant_(module.weigh[2].bias, -1e9)
    features = torch.randn(2, 4, 8, 8)
    left = {"plain": torch.zeros_like(features), "preactivation": features, "convnext": features}

    expected = left.get(kind, torch.nn.functional.gelu(features))

    torch.testing.assert_close(block(features), expected)


def test_dropout_silences_whole_channels_in_training_only():
    torch.manual_seed(0)
    block = built(1, 64, 1, norm="none", activation="gelu", shape={"dropout": 0.5})
    features = torch.randn(1, 1, 8, 8)

    silent = (block.train()(features) == 0).flatten(2)

    assert 0.2 < silent.all(dim=2).float().mean() < 0.8
    assert (silent.all(dim=2) == silent.any(dim=2)).all()
    assert not (block.eval()(features) == 0).any()


@pytest.mark.parametrize("kind", ["plain", "residual", "preactivation", "bottleneck", "convnext"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_dropout_lies_at_the_start_or_at_the_end(place, kind):
    block = built(4, 4, block=kind, norm="none", dropout_place=place, shape={"dropout": 0.5}).train()
    features = torch.randn(2, 4, 6, 6)
    torch.manual_seed(1)
    found = block(features)
    torch.manual_seed(1)

    expected = block.changed(block.dropout(features)) if place == "before" else block.dropout(block.changed(features))

    torch.testing.assert_close(found, expected)
