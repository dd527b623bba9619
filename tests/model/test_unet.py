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


@pytest.mark.parametrize("skip", ["concat", "add", "attention", "nested"])
def test_every_part_has_a_say(skip):
    """A skip that is not joined, or a level that is not used, would not change the output."""
    torch.manual_seed(0)
    network = UNet(1, 2, depth=3, base=4, norm="none", activation="silu", skip=skip).eval()
    nn.init.normal_(network.head.weight)
    image = torch.randn(1, 1, 16, 16)
    before = network(image)
    ups, decoders = network.decoder.ups, network.decoder.blocks
    if skip == "nested":
        ups, decoders = ups.values(), decoders.values()

    for part in (*network.encoder.blocks, *ups, *decoders):
        kept = {name: tensor.clone() for name, tensor in part.state_dict().items()}
        for parameter in part.parameters():
            parameter.data.mul_(2)
        assert (network(image) - before).abs().max() > 1e-4
        part.load_state_dict(kept)


@pytest.mark.parametrize("skip", ["concat", "attention", "none"])
def test_the_skips_carry_what_the_bottleneck_forgot(skip):
    """With what comes from below silenced, the finest skip alone still brings the image through; without, nothing."""
    network = UNet(1, 2, depth=2, base=4, norm="none", activation="gelu", init="torch", skip=skip).eval()
    nn.init.zeros_(network.decoder.ups[-1].weight)
    nn.init.zeros_(network.decoder.ups[-1].bias)

    first, second = (network(torch.randn(1, 1, 16, 16)) for _ in range(2))

    assert ((first - second).abs().max() > 1e-3) == (skip != "none")


@given(data=st.data(), size=st.tuples(*[st.integers(1, 11)] * 3))
@settings(max_examples=25)
def test_volumes_of_any_size_come_back_in_it(records, data, size):
    record = data.draw(records(padding="same", dims=3, depth=st.integers(1, 2), stem=st.sampled_from([1, 2])))
    network = UNet.from_record(record).eval()

    out = network(torch.randn(1, 1, *size))

    assert out.shape == (1, record.classes, *size)
    assert out.isfinite().all()


def test_a_volume_that_does_not_fit_is_mirrored_at_its_far_borders():
    network = UNet(1, 2, depth=1, base=4, init="torch", dims=3).eval()
    volume = torch.randn(1, 1, 3, 4, 5)
    mirrored = torch.cat([volume, volume[:, :, [-2]]], dim=2)
    mirrored = torch.cat([mirrored, mirrored[..., [-2]]], dim=-1)

    torch.testing.assert_close(network(volume), network.logits(mirrored)[:, :, :3, :, :5], rtol=0, atol=0)


def test_a_preactivation_network_ends_in_a_norm_and_an_activation():
    network = UNet(depth=1, base=4, block="preactivation")

    assert [type(layer).__name__ for layer in network.closing] == ["BatchNorm2d", "ReLU"]
    assert isinstance(network.encoder.blocks[0][0].convolutions[0], nn.Conv2d)
    assert len(network.encoder.blocks[0][0].first) == 0


def test_the_head_can_be_three_wide():
    assert UNet(1, 2, depth=1, base=4, head_kernel=3).head.kernel_size == (3, 3)


def test_the_simple_strided_network_without_skips():
    """Carvana's encoder-decoder: 64 64 128 128 256 256 down, three enlargements, nothing at the finest level."""
    network = UNet(
        3, 1, depth=3, widths=(64, 64, 128, 256), down="strided_block", convolutions=(0, 2, 2, 3), skip="none",
        decoder_convolutions=(0, 1, 1), decoder_widths=(64, 64, 128), up="transposed3", up_width="same", up_unit=True,
        norm="none", head_kernel=3,
    )  # fmt: skip
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]

    assert network(torch.zeros(1, 3, 96, 128)).shape == (1, 1, 96, 128)
    assert [(m.in_channels, m.out_channels, m.stride[0]) for m in layers if isinstance(m, nn.Conv2d)] == [
        (3, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 256, 1),
        (256, 128, 1), (128, 64, 1), (64, 1, 1),
    ]  # fmt: skip
    assert [m.out_channels for m in layers if isinstance(m, nn.ConvTranspose2d)] == [256, 128, 64]


# ------------------------------------------------------------------------------------------------- deep supervision


@pytest.mark.parametrize("stem", [1, 2])
@pytest.mark.parametrize("dims", [2, 3])
def test_every_level_gives_logits_in_training_and_one_in_evaluation(stem, dims):
    network = UNet(1, 3, depth=3, base=2, deep_supervision=True, stem=stem, dims=dims)
    size = (21, 34, 18)[:dims]
    images = torch.randn(2, 1, *size)

    every = network.train()(images)

    strides = [1, 2 * stem, 4 * stem]
    assert [tuple(logits.shape) for logits in every] == [(2, 3, *(-(-n // s) for n in size)) for s in strides]
    assert network.eval()(images).shape == (2, 3, *size)


def test_the_first_of_them_is_what_evaluation_gives():
    network = UNet(1, 3, depth=2, base=2, deep_supervision=True, norm="none", init="torch")
    images = torch.randn(2, 1, 13, 10)

    torch.testing.assert_close(network.train()(images)[0], network.eval()(images))


def test_each_level_s_logits_lie_where_its_pixels_do():
    """A dot in the image is found by every level's logits at the same place."""
    network = UNet(1, 1, depth=3, base=2, deep_supervision=True, norm="none", skip="add", activation="gelu").train()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 1 / max(1, parameter[0].numel()) if parameter.ndim > 1 else 0.0)
    image = torch.zeros(1, 1, 64, 64)
    image[..., 24:32, 40:48] = 1

    for level, logits in enumerate(network(image)):
        row, column = divmod(int(logits[0, 0].argmax()), logits.shape[-1])
        assert row * 2**level in range(24, 32)
        assert column * 2**level in range(40, 48)


def test_a_valid_network_s_levels_cover_what_the_finest_does():
    with torch.device("meta"):
        network = UNet(1, 2, padding="valid", norm="none", depth=4, base=2, deep_supervision=True).train()
        every = network(torch.zeros(1, 1, 572, 572))

    # 388 pixels are 194 of level 1, 97 of level 2, 48½ of level 3; to be cut alike on both sides, 100 − 2 and 52 − 2.
    assert [logits.shape[-1] for logits in every] == [388, 194, 98, 50]


def test_u_net_plus_plus_gives_the_logits_of_every_node_of_the_finest_level():
    for padding, size in (("same", 40), ("valid", 108)):
        network = UNet(1, 2, depth=3, base=2, skip="nested", deep_supervision=True, padding=padding).train()
        every = network(torch.randn(2, 1, size, size))
        assert len(every) == 3
        assert {tuple(logits.shape) for logits in every} == {tuple(every[0].shape)}


def test_every_head_learns_from_its_own_logits():
    network = UNet(1, 2, depth=3, base=4, deep_supervision=True).train()

    sum(logits.square().mean() for logits in network(torch.randn(2, 1, 32, 32))).backward()

    assert len(network.side_heads) == 2
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_an_unknown_setting_is_told_before_anything_is_built():
    with pytest.raises(SettingError, match=r"Unknown key 'activaton' in UNet.*'activation'"):
        UNet(activaton="relu")
