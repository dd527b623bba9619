import torch
from torch import nn

from maskwright.model import UNet
from maskwright.training import encoder


def names_of(network, parameters):
    wanted = {id(p) for p in parameters}
    return {name for name, p in network.named_parameters() if id(p) in wanted}


def test_a_level_is_a_block_with_the_layer_that_leads_to_it():
    network = UNet(1, 2, depth=2, base=2, stem=2, down="strided")
    first, second, third = (names_of(network, level) for level in encoder.levels(network))

    assert {name.split(".")[0] for name in first} == {"stem", "encoder"}
    assert {".".join(name.split(".")[:2]) for name in second} == {"downs.0", "encoder.1"}
    assert {".".join(name.split(".")[:2]) for name in third} == {"downs.1", "encoder.2"}


def test_levels_and_parts_are_the_same_parameters_each_once():
    network = UNet(1, 2, depth=3, base=2, stem=4, down="strided", norm="group")
    by_level = [p for level in encoder.levels(network) for p in level]
    by_part = [p for part in encoder.parts(network) for p in part.parameters()]

    assert len(by_level) == len({id(p) for p in by_level})
    assert {id(p) for p in by_level} == {id(p) for p in by_part}
    assert not names_of(network, by_level) & names_of(
        network, [*network.decoder.parameters(), *network.ups.parameters()]
    )


class Knowing(nn.Module):
    """An encoder that knows its levels."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 3)

    def levels(self):
        return [list(self.a.parameters()), list(self.b.parameters())]


def test_an_encoder_that_knows_its_levels_is_asked():
    network = nn.Module()
    network.encoder, network.stem = Knowing(), nn.Conv2d(1, 1, 1)

    assert encoder.parts(network) == [network.encoder]
    assert [names_of(network, level) for level in encoder.levels(network)] == [
        {"encoder.a.weight", "encoder.a.bias"},
        {"encoder.b.weight", "encoder.b.bias"},
    ]
    assert torch.is_tensor(encoder.levels(network)[0][0])
