import pytest
import torch
from torch import nn

from maskwright.model import UNetRecord, ways

DOWNS = ["max", "average", "blur", "strided"]
UPS = ["transposed", "transposed3", "bilinear", "nearest", "pixel_shuffle"]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kind", DOWNS)
def test_down_halves(kind, padding, dims):
    record = UNetRecord(down=kind, padding=padding, dims=dims)
    lost = kind == "blur" and padding == "valid"

    found = ways.down(record, 4)(torch.randn(2, 4, *(10, 6, 8)[:dims]))

    assert found.shape == (2, 4, *(n // 2 - lost for n in (10, 6, 8)[:dims]))


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", UPS)
def test_up_doubles(kind, dims, unit):
    record = UNetRecord(up=kind, dims=dims, up_unit=unit)

    assert ways.up(record, 4, 3)(torch.randn(2, 4, *(5, 3, 2)[:dims])).shape == (2, 3, *(10, 6, 4)[:dims])


def test_a_norm_and_an_activation_follow_where_they_are_wanted():
    found = ways.up(UNetRecord(up_unit=True), 4, 3).eval()(torch.randn(2, 4, 5, 3))

    assert (found >= 0).all()
    assert [type(layer).__name__ for layer in ways.up(UNetRecord(up_unit=True), 4, 3)][1:] == ["BatchNorm2d", "ReLU"]


@pytest.mark.parametrize("kind", ["bilinear", "nearest"])
def test_as_wide_as_before_needs_no_convolution(kind):
    assert isinstance(ways.up(UNetRecord(up=kind, up_width="same"), 4, 4), ways.Enlarge)


@pytest.mark.parametrize("kind", ["bilinear", "nearest"])
def test_the_1x1_convolution_commutes_with_the_enlargement(kind):
    up = ways.up(UNetRecord(up=kind), 4, 3)
    features = torch.randn(2, 4, 5, 6)

    torch.testing.assert_close(up(features), up[0](up[1](features)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_enlarging_volumes_is_enlarging_each_direction(mode):
    """Along one direction only, a volume behaves as an image does."""
    image = torch.randn(1, 2, 4, 5)

    found = ways.Enlarge(2, mode)(image[:, :, None].expand(-1, -1, 3, -1, -1))

    torch.testing.assert_close(found[:, :, 2], ways.Enlarge(2, mode)(image))


def test_pixel_shuffle_lays_channels_out_as_pixels():
    """Four channels of one pixel are its four quarters, row by row; eight are a cube's."""
    image = ways.PixelShuffle()(torch.arange(4.0).reshape(1, 4, 1, 1))
    cube = ways.PixelShuffle()(torch.arange(8.0).reshape(1, 8, 1, 1, 1))

    assert image[0, 0].tolist() == [[0, 1], [2, 3]]
    assert cube[0, 0].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def test_a_pixel_shuffled_volume_is_pixel_by_pixel_what_its_channels_say():
    features = torch.randn(2, 16, 3, 2, 4)

    found = ways.PixelShuffle()(features)

    for c, z, y, x in ((0, 0, 0, 0), (1, 5, 2, 7), (0, 3, 3, 6), (1, 2, 1, 1)):
        channel = 8 * c + 4 * (z % 2) + 2 * (y % 2) + x % 2
        assert torch.equal(found[:, c, z, y, x], features[:, channel, z // 2, y // 2, x // 2])


def test_the_blur_is_a_binomial_over_maxima_placed_symmetrically():
    """By hand: maxima of neighbours 5 5 2 7 7; repeated at the border 5 5 5 2 7 7 7; over each cell 1-2-1 of 4."""
    row = torch.tensor([1.0, 5, 2, 0, 7, 3]).reshape(1, 1, 1, 6).expand(-1, -1, 6, -1)

    padded = ways.down(UNetRecord(down="blur"), 1)(row)
    valid = ways.down(UNetRecord(down="blur", padding="valid"), 1)(row)

    # The cells' own maxima are the first, third and fifth: 5, 2 and 7.
    assert padded[0, 0, 0].tolist() == [(5 + 2 * 5 + 5) / 4, (5 + 2 * 2 + 7) / 4, (7 + 2 * 7 + 7) / 4]
    # Without padding each output lies between two cells: over the second and the fourth maximum.
    assert valid[0, 0, 0].tolist() == [(5 + 2 * 5 + 2) / 4, (2 + 2 * 7 + 7) / 4]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_blur_is_the_same_from_either_side(dims, padding):
    image = torch.randn(1, 2, *(8, 6, 10)[:dims])
    down = ways.down(UNetRecord(down="blur", padding=padding, dims=dims), 2)
    across = tuple(range(2, 2 + dims))

    torch.testing.assert_close(down(image.flip(across)), down(image).flip(across))


def test_a_strided_convolution_of_a_valid_network_loses_nothing():
    down = ways.down(UNetRecord(down="strided", padding="valid"), 4)

    assert down[0].kernel_size == (2, 2)
    assert ways.down(UNetRecord(down="strided"), 4)[0].kernel_size == (3, 3)


def test_a_level_that_strides_itself_needs_no_way_down():
    assert isinstance(ways.down(UNetRecord(down="strided_block"), 4), nn.Identity)


@pytest.mark.parametrize("up", UPS)
def test_the_enlargement_has_no_bias_that_a_norm_would_take_away(up):
    for settings in ({"up_unit": True}, {"block": "preactivation"}, {"block": "bottleneck"}):
        layers = ways.up(UNetRecord(up=up, **settings), 4, 3).modules()
        assert not any(getattr(layer, "bias", None) is not None for layer in layers if hasattr(layer, "stride"))
    assert any(getattr(layer, "bias", None) is not None for layer in ways.up(UNetRecord(up=up), 4, 3).modules())
