import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from maskwright.errors import DataError, SettingError
from maskwright.model import UNet, UNetRecord

DEFAULT = UNet(3, 2, depth=4, base=2).eval()


@given(height=st.integers(1, 70), width=st.integers(1, 70))
@settings(max_examples=40)
def test_a_network_takes_any_size_and_gives_it_back(height, width):
    assert DEFAULT(torch.randn(2, 3, height, width)).shape == (2, 2, height, width)


@given(data=st.data(), height=st.integers(1, 20), width=st.integers(1, 20))
@settings(max_examples=40)
def test_so_does_every_same_padded_network(records, data, height, width):
    network = UNet.from_record(data.draw(records(padding="same"))).eval()

    out = network(torch.randn(1, 1, height, width))

    assert out.shape == (1, network.record.classes, height, width)
    assert out.isfinite().all()


def test_it_is_a_plain_module():
    network = UNet(in_channels=3, classes=2, depth=1, base=4)

    again = UNet(in_channels=3, classes=2, depth=1, base=4)
    again.load_state_dict(network.state_dict())
    image = torch.randn(1, 3, 8, 8)

    assert isinstance(network, nn.Module)
    torch.testing.assert_close(network.eval()(image), again.eval()(image), rtol=0, atol=0)


def test_a_record_gives_the_network_it_was_taken_from():
    network = UNet(1, 3, depth=2, widths=(3, 5, 7), block="residual", norm="group")

    again = UNet.from_record(UNetRecord.read(network.record.plain()))

    assert again.record == network.record
    assert {n: p.shape for n, p in again.named_parameters()} == {n: p.shape for n, p in network.named_parameters()}


def of_2015(in_channels, classes):
    with torch.device("meta"):  # 31 million weights, and none of them stored
        return UNet(in_channels, classes, depth=4, base=64, norm="none", padding="valid", up="transposed")


def test_the_network_of_2015_has_its_31_million_parameters():
    """By hand: 9·a·b + b for a 3×3 convolution, 4·a·b + b for a transposed 2×2, a·b + b for the last."""
    down = (640 + 36_928) + (73_856 + 147_584) + (295_168 + 590_080) + (1_180_160 + 2_359_808)
    bottom = 4_719_616 + 9_438_208
    up = 2_097_664 + 524_544 + 131_200 + 32_832
    decoder = (4_719_104 + 2_359_808) + (1_179_904 + 590_080) + (295_040 + 147_584) + (73_792 + 36_928)
    head = 130

    found = sum(parameter.numel() for parameter in of_2015(1, 2).parameters())

    assert found == down + bottom + up + decoder + head == 31_030_658


def test_the_network_of_2015_has_its_23_convolutions():
    layers = [layer for layer in of_2015(1, 2).modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]

    assert len(layers) == 23


def test_a_tile_of_572_gives_388():
    with torch.device("meta"):
        assert of_2015(1, 2)(torch.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)


def test_a_valid_network_says_which_sizes_fit():
    network = of_2015(1, 2)

    with pytest.raises(DataError, match=r"input of 512 pixels does not fit.* 508 and 524"):
        network(torch.zeros(1, 1, 572, 512, device="meta"))


def test_an_image_that_fits_is_not_padded():
    network = UNet(1, 2, depth=2, base=4, init="torch").eval()
    image = torch.randn(1, 1, 16, 20)

    torch.testing.assert_close(network(image), network.logits(image), rtol=0, atol=0)


def test_an_image_that_does_not_fit_is_mirrored_at_the_lower_and_right_border():
    network = UNet(1, 2, depth=2, base=4, init="torch").eval()
    image = torch.randn(1, 1, 14, 19)
    mirrored = torch.cat([image, image[..., [-2, -3], :]], dim=-2)
    mirrored = torch.cat([mirrored, mirrored[..., [-2]]], dim=-1)

    torch.testing.assert_close(network(image), network.logits(mirrored)[..., :14, :19], rtol=0, atol=0)


def test_every_part_has_a_say():
    """A skip that is not joined, or a level that is not used, would not change the output."""
    torch.manual_seed(0)
    network = UNet(1, 2, depth=3, base=4, norm="none", activation="silu").eval()
    nn.init.normal_(network.head.weight)
    image = torch.randn(1, 1, 16, 16)
    before = network(image)

    for parts in (network.encoder, network.ups, network.decoder):
        for part in parts:
            kept = {name: tensor.clone() for name, tensor in part.state_dict().items()}
            for parameter in part.parameters():
                parameter.data.mul_(2)
            assert (network(image) - before).abs().max() > 1e-3
            part.load_state_dict(kept)


def test_the_skips_carry_what_the_bottleneck_forgot():
    """With what comes from below silenced, the finest skip alone still brings the image through."""
    network = UNet(1, 2, depth=2, base=4, norm="none", activation="gelu", init="torch").eval()
    nn.init.zeros_(network.ups[-1].weight)
    nn.init.zeros_(network.ups[-1].bias)

    first, second = (network(torch.randn(1, 1, 16, 16)) for _ in range(2))

    assert (first - second).abs().max() > 1e-3


def test_an_unknown_setting_is_told_before_anything_is_built():
    with pytest.raises(SettingError, match=r"Unknown key 'activaton' in UNet.*'activation'"):
        UNet(activaton="relu")
