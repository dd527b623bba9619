import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from maskwright.errors import DataError
from maskwright.model import UNet, UNetRecord
from maskwright.model.cost import Cost, cost
from maskwright.model.sizes import fitting_input

ALL = {
    "dims": st.sampled_from([2, 3]),
    "activation": st.sampled_from(["relu", "leaky_relu", "gelu", "silu"]),
    "squeeze": st.sampled_from([None, 2]),
    "deep_supervision": st.booleans(),
}


def built(record):
    with torch.device("meta"):  # shapes without arithmetic
        return UNet.from_record(record).train()


class Made(TorchDispatchMode):
    """The slow twin: the size of every map that PyTorch itself makes, operation by operation."""

    def __init__(self, dims):
        super().__init__()
        self.dims, self.bytes = dims, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        first = out[0] if isinstance(out, tuple) else out
        view = func._schema.returns[0].alias_info is not None or "view" in func.name()
        if first.dtype == torch.float32 and first.ndim >= 2 + self.dims and not view:
            self.bytes += 4 * first.numel()
        return out


@given(data=st.data())
@settings(max_examples=60)
def test_there_are_as_many_parameters_as_in_the_built_network(records, data):
    record = data.draw(records(**ALL))

    found = cost(record, [fitting_input(record, 1)] * record.dims)

    assert found.parameters == sum(parameter.numel() for parameter in built(record).parameters())


@given(data=st.data(), more=st.tuples(*[st.integers(2, 20)] * 3))
@settings(max_examples=30)
def test_products_and_maps_are_those_of_the_built_network(records, data, more):
    record = data.draw(records(**ALL, depth=st.integers(1, 2)))
    size = tuple(fitting_input(record, record.stride + n) for n in more[: record.dims])
    assume(math.prod(size) < 1e8)
    network = built(record)
    products = 0

    def add(module, inputs, output):
        nonlocal products
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            products += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.ConvTranspose2d | nn.ConvTranspose3d):
            products += inputs[0].numel() * module.weight[0].numel()

    for module in network.modules():
        module.register_forward_hook(add)
    image = torch.zeros(1, 1, *size, device="meta")
    with Made(record.dims) as made:
        (network.all_logits if record.deep_supervision else network.logits)(image)

    found = cost(record, size)

    assert found.size == size
    assert found.multiply_adds == products
    assert found.activation_bytes == made.bytes


@given(data=st.data())
@settings(max_examples=30)
def test_levels_add_up(records, data):
    found = cost(record := data.draw(records(**ALL)), fitting_input(record, 1))

    for name in ("parameters", "multiply_adds", "activation_bytes"):
        assert sum(getattr(row, name) for row in found.levels) == getattr(found, name)
    assert len({(row.part, row.level) for row in found.levels}) == len(found.levels)
    assert Cost.read(found.plain()) == found


def test_the_network_of_2015_worked_out_by_hand():
    record = UNetRecord(in_channels=1, classes=2, depth=4, base=64, norm="none", padding="valid")

    found = cost(record, 572)

    assert found.parameters == 31_030_658
    # The first level: 3×3 from 1 to 64 channels gives 570², from 64 to 64 gives 568².
    first = found.levels[0]
    assert (first.part, first.level, first.width, first.size) == ("encoder", 0, 64, (568, 568))
    assert first.multiply_adds == 9 * 64 * 570**2 + 9 * 64 * 64 * 568**2
    assert first.activation_bytes == 4 * 64 * (570**2 + 568**2)
    assert found.levels[-1].size == (388, 388)
    assert [row.part for row in found.levels] == ["encoder"] * 5 + ["decoder"] * 4 + ["head"]


def test_a_padded_network_is_counted_for_the_size_it_sees():
    record = UNetRecord(depth=3, base=4, stem=2)

    assert cost(record, 101).size == (112, 112)
    assert cost(record, (96, 1)) == cost(record, (90, 16))


def test_a_size_that_does_not_fit_a_valid_network_is_told():
    with pytest.raises(DataError, match="573 pixels does not fit"):
        cost(UNetRecord(padding="valid"), (572, 573))


def test_only_local_networks_have_a_field_of_view():
    # By hand: see tests/model/test_sizes.py.
    assert cost(UNetRecord(depth=1, convolutions=1), 32).field_of_view == 12
    for settings_ in ({"norm": "instance"}, {"norm": "group"}, {"squeeze": 2}):
        assert cost(UNetRecord(depth=1, **settings_), 32).field_of_view is None


def test_it_prints_as_a_table():
    lines = str(cost(UNetRecord(depth=2, base=8), (64, 96))).splitlines()

    assert lines[0].split() == ["width", "size", "parameters", "multiply-adds", "activations"]
    assert lines[1].split()[:4] == ["encoder", "0", "8", "64×96"]
    assert lines[-2].startswith("in all")
    assert lines[-1] == "field of view: 48 pixels"
    assert len({len(line) for line in lines[:-1]}) == 1


def test_large_networks_are_counted_without_being_built():
    """A thousand times the memory of this machine, in a moment."""
    found = cost(UNetRecord(dims=3, depth=6, base=4096, max_width=10**6, block="bottleneck", blocks=8), 4096)

    assert found.parameters > 10**11
    assert found.activation_bytes > 10**15
