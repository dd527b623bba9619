"""Every block with every norm, way down, way up and skip: it learns, and every one of its parameters does."""

import itertools

import pytest
import torch

from maskwright.model import UNet, UNetRecord
from maskwright.model.sizes import fitting_input

BLOCKS = ["plain", "residual", "preactivation", "bottleneck", "convnext"]
NORMS = ["batch", "instance", "group", "layer", "none"]
UPS = ["transposed", "transposed3", "bilinear", "nearest", "pixel_shuffle"]
DOWNS = ["max", "average", "blur", "strided", "strided_block"]
SKIPS = ["concat", "add", "attention", "none", "nested"]
SILENCE = 1e-13
"""What is left of a gradient of zero in double precision; a live one is a million times larger here."""


def settings_of(*choices):
    return dict(zip(("block", "norm", "up", "down", "skip"), choices, strict=True))


def triples():
    """125 of the 3125 combinations, in which every three choices meet: lines of a plane over the field of five."""
    for a, b, c in itertools.product(range(5), repeat=3):
        yield settings_of(BLOCKS[a], NORMS[b], UPS[c], DOWNS[(a + b + c) % 5], SKIPS[(a + 2 * b + 4 * c) % 5])


def learns(*, more=0, **settings):
    """Two steps; each gives every parameter a gradient, and the second one that is not zero.

    At the first, what a head near zero lets through is small, and what looks at the mean of a normalised map sees 0.
    """
    torch.manual_seed(0)
    network = UNet(3, 2, depth=1, base=16, growth=1, convolutions=1, activation="silu", **settings).double().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    side = fitting_input(network.record, 8 + more)
    images = torch.randn(2, 3, *[side] * network.record.dims, dtype=torch.float64)
    for step in range(2):
        optimizer.zero_grad()
        every = network(images)
        sum(slope(logits) for logits in (every if isinstance(every, tuple) else [every])).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, (settings, name)
            largest = parameter.grad.abs().max()
            assert largest.isfinite(), (settings, name)
            assert step == 0 or largest > SILENCE or taken_away(network.record, name), (settings, name)
        optimizer.step()
    assert network.eval()(images).isfinite().all()


def slope(logits):
    """A loss that asks of every pixel something else."""
    wanted = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1), dtype=logits.dtype)
    return (logits - wanted - 1).square().mean()


def taken_away(record, name):
    """What a bias adds that reaches a norm as the same number everywhere: the norm takes it away again.

    Without padding nothing tells the border, so that is so beyond a convolution, too; and ConvNeXt's shortcuts carry
    it to the next enlargement.
    """
    if record.norm in {"none", "layer"} or not name.endswith("bias"):
        return False
    if record.padding == "valid" and "ups." in name:
        return True
    carried = record.block == "convnext" and ("entry." in name or "layers.4." in name)
    return carried and (record.padding == "valid" or record.up_unit)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_network_of_any_three_choices_teaches_every_parameter(block):
    for settings in triples():
        if settings["block"] == block:
            learns(**settings)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("block", BLOCKS)
def test_every_network_teaches_every_parameter(block, norm):
    for choices in itertools.product(UPS, DOWNS, SKIPS):
        learns(**settings_of(block, norm, *choices))


@pytest.mark.parametrize("block", BLOCKS)
def test_valid_ones_do_too(block):
    for settings in list(triples())[::2]:
        if settings["block"] == block:
            learns(padding="valid", **settings)


@pytest.mark.parametrize("block", BLOCKS)
def test_those_of_three_dimensions_do_too(block):
    for settings in list(triples())[::9]:
        if settings["block"] == block:
            learns(dims=3, **settings)


@pytest.mark.parametrize(
    "more",
    [
        {"squeeze": 4},
        {"norm_order": "after"},
        {"norm_in": "encoder"},
        {"up_unit": True},
        {"blocks": 2},
        {"deep_supervision": True},
        {"head_kernel": 3},
        {"stem": 2},
        {"dropout": 0.5, "dropout_at": "all", "dropout_place": "before"},
        {"dropout": 0.5, "dropout_at": "all", "dropout_unit": "value"},
        {"encoder": {"name": "residual"}},
        {"decoder_widths": (8,), "skip": "concat"},
    ],
    ids=lambda more: "-".join(f"{k}={v}" for k, v in more.items()),
)
def test_so_do_those_with_any_other_switch(more):
    for settings in list(triples())[::6]:
        learns(**{**settings, **more})


def test_the_triples_are_all_there():
    for keys in itertools.combinations(("block", "norm", "up", "down", "skip"), 3):
        assert len({tuple(settings[key] for key in keys) for settings in triples()}) == 125


def test_no_choice_is_missing_here():
    fields = UNetRecord.model_fields
    for name, choices in settings_of(BLOCKS, NORMS, UPS, DOWNS, SKIPS).items():
        assert set(fields[name].annotation.__args__) == set(choices)
