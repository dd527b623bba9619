"""Folded batch norms: the same logits, each norm folded once, and none that must not be."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtimes.networks import RECORDS, difference, images_for, logits_of, network_of
from torch import nn

from maskwright.model import UNet
from maskwright.runtimes.folding import CONVOLUTIONS, NORMS, fold, foldable, folded


def norms_of(network):
    return [name for name, module in network.named_modules() if isinstance(module, NORMS)]


@pytest.mark.parametrize("record", RECORDS)
def test_a_folded_network_says_the_same(record):
    network = network_of(**RECORDS[record])
    images = images_for(network, 2, 2, 3)

    assert difference(logits_of(folded(network), images), logits_of(network, images)) <= 1e-5


@given(st.data())
@settings(max_examples=8)
def test_so_does_any_of_the_family(records, data):
    record = data.draw(records(norm="batch"))
    network = network_of(**record.plain())
    images = images_for(network, 1, 2)

    assert difference(logits_of(folded(network), images), logits_of(network, images)) <= 1e-5


@pytest.mark.parametrize("record", ["plain", "valid", "one channel, one logit", "timm", "three dimensions"])
def test_every_norm_behind_a_convolution_is_gone(record):
    network = network_of(**RECORDS[record])

    assert len(foldable(network)) == len(norms_of(network)) > 0
    assert norms_of(folded(network)) == []


def test_norms_behind_anything_else_stay():
    network = network_of(norm_order="after")

    assert foldable(network) == []
    assert norms_of(folded(network)) == norms_of(network)


def test_folding_twice_is_folding_once():
    network = network_of()
    once = folded(network)
    twice = folded(once)

    assert foldable(once) == []
    assert all(torch.equal(a, b) for a, b in zip(once.parameters(), twice.parameters(), strict=True))


def test_the_network_itself_stays_as_it_is_and_a_training_one_is_folded_as_it_predicts():
    network = network_of()
    images = images_for(network, 1, 2)
    expected = logits_of(network, images)
    network.train()

    assert difference(logits_of(folded(network), images), expected) <= 1e-5
    assert network.training
    assert len(norms_of(network)) > 0


class Shared(nn.Module):
    """A map that its norm reads, and somebody else; or a convolution used twice."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.convolution, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images):
        found = self.convolution(images)
        if self.way == "map":
            return self.norm(found) + found
        if self.way == "convolution":
            return self.norm(self.convolution(found))
        return self.norm(self.norm(found))


@pytest.mark.parametrize("way", ["map", "convolution", "norm"])
def test_what_is_used_twice_is_not_folded(way):
    network = network_of()
    network.encoder.stem = Shared(way).eval()
    network.encoder.stem.norm.running_mean += 1
    images = images_for(network, 1, 2)

    assert not any("stem" in name for name, _ in foldable(network))
    assert difference(logits_of(folded(network), images), logits_of(network, images)) <= 1e-5


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_each_kind_of_convolution_folds_its_norm_in(kind, groups):
    torch.manual_seed(0)
    dims = 2 if "2d" in kind.__name__ else 3
    layer = kind(4, 6, 3, groups=groups, bias=groups == 2).requires_grad_(False)
    norm = (nn.BatchNorm2d if dims == 2 else nn.BatchNorm3d)(6, affine=groups == 1).eval().requires_grad_(False)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    images = torch.randn(2, 4, *[5] * dims)
    expected = norm(layer(images))

    fold(layer, norm)

    assert difference(layer(images), expected) <= 1e-5


def test_timm_norms_that_are_activations_too_keep_the_activation():
    network = network_of(depth=2, encoder={"name": "mobilenetv3_small_050"})
    kinds = {type(module).__name__ for module in network.encoder.modules()}
    assert "BatchNormAct2d" in kinds

    left = folded(network)

    assert "BatchNormAct2d" not in {type(module).__name__ for module in left.encoder.modules()}
    assert isinstance(left, UNet)
