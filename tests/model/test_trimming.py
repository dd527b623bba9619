"""Trimmed networks: the inside of the logits, from maps that are no larger than need be."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maskwright.model import UNet, UNetRecord
from maskwright.model.sizes import fitting_input
from maskwright.model.trimming import can_trim, trimmed, trims


@given(data=st.data(), steps=st.integers(1, 4), more=st.integers(1, 3), grid=st.integers(0, 1))
@settings(max_examples=60)
def test_the_inside_is_the_networks_own(records, data, steps, more, grid):
    record = data.draw(records(padding="same", norm=st.sampled_from(["batch", "layer", "none"])))
    assume(can_trim(record))
    torch.manual_seed(0)
    network = UNet.from_record(record).eval()
    margin = steps * record.stride
    sides = [fitting_input(record, 2 * margin + (more + extra) * record.stride) for extra in (0, grid)]
    images = torch.randn(1, record.in_channels, *sides)

    with torch.inference_mode():
        found, whole = trimmed(network, margin).logits(images), network.logits(images)

    inside = slice(margin, -margin)
    torch.testing.assert_close(found, whole[..., inside, inside], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("level", range(3))
def test_no_map_is_larger_than_need_be(level, monkeypatch):
    """With one pixel less on each side at any level, the logits at the rim change; as it is, nothing does."""
    torch.manual_seed(0)
    network = UNet(1, 2, depth=3, base=4, init="torch").double().eval()
    images = torch.randn(1, 1, 160, 160, dtype=torch.float64)
    pixels = list(trims(network.record, 48))
    pixels[level] += 1
    pixels[level + 1] -= 2 if level < 2 else 1  # so that the finer maps lie where they did
    monkeypatch.setattr("maskwright.model.trimming.trims", lambda *_: tuple(pixels))

    found, whole = trimmed(network, 48).logits(images), network.logits(images)[..., 48:-48, 48:-48]

    assert min(pixels) >= 0
    assert found.shape == whole.shape
    assert (found - whole).abs().max() > 1e-12


def test_less_than_half_of_the_finest_maps_of_a_window_is_left():
    """U-Net of four halvings, windows of 512 with a halo of 96."""
    record = UNetRecord(in_channels=3, classes=2, depth=4, base=16)
    sides, side = [], 512 // 2**4
    for pixels in trims(record, 96)[:-1]:
        side = 2 * side - 2 * pixels
        sides.append(side)
    assert sides == [48, 88, 166, 324]


@pytest.mark.parametrize(
    "settings",
    [{"padding": "valid"}, {"norm": "instance"}, {"squeeze": 4}, {"skip": "nested"}, {"encoder": {"name": "resnet18"}}],
    ids=str,
)
def test_what_has_no_inside_of_its_own_is_told(settings):
    assert not can_trim(UNetRecord.read({"in_channels": 3, "classes": 2, **settings}, "test"))
