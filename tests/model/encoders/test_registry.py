import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from maskwright.errors import SettingError
from maskwright.model import UNet, UNetRecord, encoders
from maskwright.model.cost import cost
from maskwright.model.encoders.plain import PlainEncoder


class Painted(nn.Module):
    """An encoder as a timm one is: nothing at the finest level but perhaps the image."""

    def __init__(self, record):
        super().__init__()
        self.image_skip = record.encoder.image_skip
        widths = [6 + 2 * level for level in range(record.depth)]
        self.channels = (record.in_channels if self.image_skip else None, *widths)
        ins = [record.in_channels, *widths[:-1]]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(ins, widths, strict=True))

    def forward(self, images):
        features = [images if self.image_skip else None]
        for layer in self.layers:
            images = layer(images).relu()
            features.append(images)
        return features

    def levels(self):
        return [list(layer.parameters()) for layer in self.layers]


@pytest.fixture
def timm(monkeypatch):
    """A stand-in for the module that knows timm."""
    module = ModuleType("maskwright.model.encoders.timm")
    module.TimmEncoder = Painted
    monkeypatch.setitem(sys.modules, "maskwright.model.encoders.timm", module)


def test_the_record_s_own_encoders_are_plain():
    for name in ("plain", "residual"):
        assert isinstance(encoders.build(UNetRecord(depth=1, base=2, encoder={"name": name})), PlainEncoder)


def test_any_other_name_is_a_timm_model(timm):
    assert isinstance(encoders.build(UNetRecord(encoder={"name": "resnet34"})), Painted)


def test_nothing_of_timm_is_loaded_for_an_encoder_of_one_s_own():
    before = "maskwright.model.encoders.timm" in sys.modules

    UNet(depth=1, base=2)

    assert ("maskwright.model.encoders.timm" in sys.modules) == before


@pytest.mark.parametrize("image_skip", [False, True])
@pytest.mark.parametrize("skip", ["concat", "attention", "none", "nested"])
def test_a_network_stands_on_an_encoder_it_does_not_know(timm, skip, image_skip):
    encoder = {"name": "resnet34", "image_skip": image_skip}
    network = UNet(3, 2, depth=3, base=4, skip=skip, encoder=encoder, deep_supervision=True)
    images = torch.randn(2, 3, 21, 30)

    assert network.eval()(images).shape == (2, 2, 21, 30)
    assert len(network.train()(images)) == 3


def test_its_weights_are_left_as_they_are(timm):
    torch.manual_seed(0)
    network = UNet(3, 2, depth=1, base=4, encoder={"name": "resnet34"})
    torch.manual_seed(0)

    assert torch.equal(network.encoder.layers[0].weight, Painted(network.record).layers[0].weight)


def test_sums_want_its_channels(timm):
    with pytest.raises(SettingError, match="a skip of the encoder has 8 channels, what comes up has 16"):
        UNet(3, 2, depth=3, base=4, skip="add", encoder={"name": "resnet34"})

    UNet(3, 2, depth=3, decoder_widths=(4, 6, 8), skip="add", encoder={"name": "resnet34"})


@pytest.mark.parametrize("skip", ["concat", "nested"])
def test_its_cost_is_measured(timm, skip):
    network = UNet(3, 2, depth=3, base=4, skip=skip, encoder={"name": "resnet34", "image_skip": True})
    count = {"products": 0}

    def add(module, inputs, output):
        if isinstance(module, nn.Conv2d):
            count["products"] += output[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.ConvTranspose2d):
            count["products"] += inputs[0][0].numel() * module.weight[0].numel()

    for module in network.modules():
        module.register_forward_hook(add)
    network(torch.zeros(1, 3, 32, 24))

    found = cost(network.record, (30, 20))

    assert found.size == (32, 24)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert found.multiply_adds == count["products"]
    assert found.field_of_view is None
    own = next(row for row in found.levels if row.part == "resnet34")
    maps = 2 * 4 * sum(c * (32 >> s) * (24 >> s) for s, c in ((1, 6), (2, 8), (3, 10)))  # convolved, and then activated
    assert own.activation_bytes == maps
