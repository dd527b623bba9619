import math
import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from maskwright.errors import DataError
from maskwright.model import UNet, UNetRecord
from maskwright.model.sizes import demand_fit, fitting_input, geometry, output_size


def of_2015(**settings):
    return UNetRecord(depth=4, base=64, norm="none", padding="valid", up="transposed", **settings)


def test_the_paper_s_tile_gives_the_paper_s_output():
    assert output_size(of_2015(), 572) == 388
    assert geometry(of_2015()).margin == (572 - 388) // 2


@given(data=st.data(), size=st.integers(1, 120))
@settings(max_examples=100)
def test_the_output_is_as_large_as_it_is_said_to_be(records, data, size):
    record = data.draw(records(dims=st.sampled_from([2, 3]), deep_supervision=st.booleans()))
    with torch.device("meta"):  # sizes without arithmetic
        network, image = UNet.from_record(record).eval(), torch.zeros(1, 1, *[size] * record.dims)

    expected = output_size(record, size)

    if expected is None:
        with pytest.raises(RuntimeError):
            odd_sizes_do_not_join(network)(image)
    else:
        assert network.logits(image).shape == (1, record.classes, *[expected] * record.dims)


def odd_sizes_do_not_join(network):
    """The network, but halving and cropping must come out even: PyTorch would drop the odd row in silence."""

    def check(module, inputs):
        stride = module.stride if isinstance(module.stride, int) else module.stride[0]
        if inputs[0].shape[-1] % stride or min(inputs[0].shape[-2:]) < 1:
            raise RuntimeError("odd")

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.MaxPool2d | nn.MaxPool3d | nn.AvgPool2d | nn.AvgPool3d):
            module.register_forward_pre_hook(check)

    def run(image):
        out = network.logits(image)
        if out.numel() == 0:
            raise RuntimeError("empty")
        return out

    return run


@given(data=st.data(), output=st.integers(1, 100))
def test_the_fitting_input_is_the_smallest_that_gives_enough(records, data, output):
    record = data.draw(records())

    found = fitting_input(record, output)

    assert output_size(record, found) >= output
    assert all((output_size(record, size) or 0) < output for size in range(1, found))


@given(data=st.data(), size=st.integers(1, 300))
def test_a_size_that_does_not_fit_is_told_with_the_two_nearest_that_do(records, data, size):
    record = data.draw(records(padding="valid", depth=st.integers(1, 4)))
    assume(output_size(record, size) is None)

    with pytest.raises(DataError, match=f"{size} pixels does not fit") as caught:
        demand_fit(record, size)

    near = re.search(r"sizes that fit: (?:(\d+) and )?(\d+)", str(caught.value))
    below, above = (int(text) if text else None for text in near.groups())
    fitting = [n for n in range(1, above + 1) if output_size(record, n)]
    assert above == min(n for n in fitting if n > size)
    assert below == max((n for n in fitting if n < size), default=None)


def test_sizes_that_fit_are_not_complained_about():
    demand_fit(of_2015(), 572, 188)

    with pytest.raises(DataError, match="573"):
        demand_fit(of_2015(), 572, 573)


@given(data=st.data())
@settings(max_examples=60)
def test_before_and_after_are_what_the_gradient_reaches(records, data):
    """The gradient of a block of output, as wide as the stride, ends exactly where the record says it does."""
    record = data.draw(records(norm="none", activation="gelu", classes=1, dims=st.sampled_from([2, 2, 3])))
    g = geometry(record)
    first = -(-(g.before + g.stride) // g.stride) * g.stride  # so far inside that no border is near
    wide = fitting_input(record, first + 2 * g.stride + g.after)
    sides = [fitting_input(record, 1)] * (record.dims - 1)
    assume(math.prod(sides) * wide < 2e5)  # larger volumes take long and show nothing new
    image = torch.ones(1, 1, *sides, wide, dtype=torch.float64, requires_grad=True)

    transparent(UNet.from_record(record).double()).logits(image)[..., first : first + g.stride].sum().backward()

    reached = image.grad[0, 0].abs().flatten(0, -2).sum(dim=0).nonzero()[:, 0]
    start = first + g.margin  # where that block lies in the input
    assert reached[0] == start - g.before
    assert reached[-1] == start + g.stride - 1 + g.after
    assert g.field_of_view == reached[-1] - reached[0] + 1


def transparent(network):
    """The network with nothing that could stop a gradient: positive weights, and the mean in place of the maximum."""
    for parameter in network.parameters():
        nn.init.constant_(parameter, 1 / max(1, parameter[0].numel()))
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d | nn.MaxPool3d):
                mean = nn.AvgPool2d if isinstance(child, nn.MaxPool2d) else nn.AvgPool3d
                setattr(module, name, mean(2, child.stride))
    return network


def test_what_looks_at_the_whole_image_has_no_known_reach():
    for settings_ in ({"squeeze": 4}, {"norm": "instance"}, {"norm": "group"}):
        assert not geometry(UNetRecord(**settings_)).is_local
    timm = geometry(UNetRecord(depth=5, encoder={"name": "resnet34"}))
    assert (timm.stride, timm.before, timm.after, timm.is_local) == (32, 0, 0, False)


@pytest.mark.parametrize(
    ("settings_", "size", "output"),
    [
        ({"down": "blur"}, 14, 4),  # 14 → 12 → (11 → 10 → 5, a pixel on each side) 5 → 3 → 6 → 4
        ({"down": "strided_block"}, 12, 8),  # 12 → 10 → 5 by a 2×2 of stride 2 → 10 → 8
        ({"block": "convnext"}, 40, 16),  # 40 → 34 → 17 → 11 → 22 → 16
        ({"head_kernel": 3}, 16, 6),  # 16 → 14 → 7 → 5 → 10 → 8 → 6
    ],
)
def test_valid_sizes_worked_out_by_hand(settings_, size, output):
    record = UNetRecord(in_channels=1, depth=1, base=2, convolutions=1, padding="valid", norm="none", **settings_)

    assert output_size(record, size) == output
    assert UNet.from_record(record)(torch.zeros(1, 1, size, size)).shape[-1] == output
    with pytest.raises(DataError, match=f"{size + 1} pixels does not fit.*fit: {size} and {size + 2}"):
        UNet.from_record(record)(torch.zeros(1, 1, size + 1, size))


def test_the_smallest_network_worked_out_by_hand():
    g = geometry(UNetRecord(depth=1, convolutions=1))

    # Output pixels 0 and 1. The decoder's convolution sees -1 … 2; halved that is -1 … 1; the bottleneck sees -2 … 2;
    # they were pooled from -4 … 5; the encoder's convolution sees -5 … 6.
    assert (g.stride, g.before, g.after) == (2, 5, 5)
    assert g.field_of_view == 12
