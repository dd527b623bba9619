import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from maskwright.model import UNet, UNetRecord, encoders


@given(data=st.data())
@settings(max_examples=30)
def test_features_have_the_channels_and_strides_they_are_said_to(records, data):
    record = data.draw(records(padding="same", dims=st.sampled_from([2, 3])))
    with torch.device("meta"):
        encoder = encoders.build(record).eval()
        features = encoder(torch.zeros(1, 1, *[32] * record.dims))

    strides = [record.stem * 2**level for level in range(record.depth + 1)]
    assert [f.shape[1] for f in features] == list(encoder.channels) == list(record.encoder_channels)
    assert [f.shape[-1] for f in features] == [32 // stride for stride in strides]


def test_blocks_and_convolutions_are_counted_a_level():
    encoder = encoders.build(UNetRecord(depth=2, base=4, blocks=(1, 3, 2), convolutions=(2, 1, 3)))

    assert [[len(block.convolutions) for block in level] for level in encoder.blocks] == [[2], [1, 1, 1], [3, 3]]


def test_without_convolutions_the_finest_feature_is_the_image():
    encoder = encoders.build(UNetRecord(depth=1, base=4, convolutions=(0, 1), decoder_convolutions=1))
    image = torch.randn(1, 3, 8, 8)

    assert encoder(image)[0] is image


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("down", ["max", "strided", "strided_block"])
def test_levels_hold_every_parameter_once_from_front_to_back(down, stem):
    encoder = encoders.build(UNetRecord(depth=2, base=4, blocks=2, down=down, stem=stem))

    levels = encoder.levels()

    assert len(levels) == 3
    assert sorted(id(p) for level in levels for p in level) == sorted(map(id, encoder.parameters()))
    assert all(parameter.shape[0] == 4 * 2**2 for parameter in encoder.blocks[2].parameters() if parameter.ndim == 1)
    assert any(parameter is encoder.blocks[1][0].convolutions[0][0].weight for parameter in levels[1])


def test_the_first_convolution_of_a_level_strides_where_it_is_wanted():
    encoder = encoders.build(UNetRecord(depth=2, base=4, blocks=2, down="strided_block"))
    strides = [[m.stride[0] for m in level.modules() if isinstance(m, nn.Conv2d)] for level in encoder.blocks]

    assert strides == [[1, 1, 1, 1], [2, 1, 1, 1], [2, 1, 1, 1]]


def test_the_network_s_encoder_is_what_lies_below_that_name():
    network = UNet(depth=2, base=4, stem=2, down="strided")

    inside = [p for name, p in network.named_parameters() if name.startswith("encoder.")]

    assert sum(p.numel() for p in inside) == sum(p.numel() for p in network.encoder.parameters())
    assert "encoder.stem.0.weight" in dict(network.named_parameters())
