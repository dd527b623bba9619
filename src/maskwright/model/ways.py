"""The ways down and up: between a level and the next coarser one. Shapes: B C H W, or B C D H W."""

from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.model.layers import convolution, max_pool, mean_pool, norm_and_activation, transposed, unit
from maskwright.model.layout import up_bias
from maskwright.model.record import UNetRecord


def down(record: UNetRecord, channels: int) -> nn.Module:
    """Halves the resolution; the channels stay. Nothing where the next level's first convolution does it."""
    if record.down == "max":
        return max_pool(record)
    if record.down == "average":
        return mean_pool(record)
    if record.down == "blur":
        return BlurPool(record)
    # 3×3 where padded; 2×2 where valid, which loses nothing.
    return unit(record, channels, channels, stride=2) if record.down == "strided" else nn.Identity()


class BlurPool(nn.Module):
    """Maximum of neighbours, binomial filter 1-2-1, every second value (Zhang 2019, arXiv 1904.11486).

    The filter lies symmetrically over each cell of two: over the maxima to its left, of itself and to its right. So a
    valid network loses a pixel on each side here; a padded one repeats the outermost maximum.
    """

    def __init__(self, record: UNetRecord):
        super().__init__()
        self.sides = (1, 1) * record.dims if record.padding == "same" else None
        self.largest = max_pool(record, stride=1)
        # The mean of two, twice, is 1-2-1 over 4.
        self.blur = nn.Sequential(mean_pool(record, stride=1), mean_pool(record, stride=2))

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C H/2 W/2, or one less when valid."""
        features = self.largest(features)
        if self.sides is not None:
            features = F.pad(features, self.sides, mode="replicate")
        out: Tensor = self.blur(features)
        return out


def up(record: UNetRecord, channels_in: int, channels_out: int) -> nn.Module:
    """Doubles the resolution and changes the channels; norm and activation follow if the record wants them."""
    layers = _enlargement(record, channels_in, channels_out)
    if record.up_unit:
        layers += norm_and_activation(record, channels_out, in_place=False)
    return nn.Sequential(*layers) if len(layers) > 1 else layers[0]


def _enlargement(record: UNetRecord, channels_in: int, channels_out: int) -> list[nn.Module]:
    bias = up_bias(record)
    if record.up in {"transposed", "transposed3"}:
        return [transposed(record, channels_in, channels_out, 3 if record.up == "transposed3" else 2, bias=bias)]
    if record.up == "pixel_shuffle":
        wide = convolution(record, channels_in, channels_out * 2**record.dims, 1, bias=bias)
        return [wide, PixelShuffle()]
    # The 1×1 convolution comes first: it commutes with the enlargement and costs a quarter there.
    narrow = [convolution(record, channels_in, channels_out, 1, bias=bias)] if record.up_width == "level" else []
    return [*narrow, Enlarge(2, "bilinear" if record.up == "bilinear" else "nearest")]


class Enlarge(nn.Module):
    """Enlargement by a whole factor: bilinear (trilinear in 3-D), or each value repeated."""

    def __init__(self, factor: int, mode: str = "bilinear"):
        super().__init__()
        self.factor, self.mode = factor, mode

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C fH fW."""
        if self.mode == "nearest":
            return F.interpolate(features, scale_factor=self.factor, mode="nearest")
        mode = "bilinear" if features.ndim == 4 else "trilinear"
        return F.interpolate(features, scale_factor=self.factor, mode=mode, align_corners=False)


class PixelShuffle(nn.Module):
    """Channels laid out as pixels, two a side (Shi et al. 2016, arXiv 1609.05158), in two dimensions or three."""

    def forward(self, features: Tensor) -> Tensor:
        """B 4C H W → B C 2H 2W; B 8C D H W → B C 2D 2H 2W."""
        if features.ndim == 4:
            return F.pixel_shuffle(features, 2)
        B, C, D, H, W = features.shape
        cells = features.reshape(B, C // 8, 2, 2, 2, D, H, W)
        return cells.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(B, C // 8, 2 * D, 2 * H, 2 * W)


def stem(record: UNetRecord) -> nn.Module:
    """The first convolution, where it strides, as wide as its stride; nothing for a stride of 1."""
    if record.stem == 1:
        return nn.Identity()
    return unit(record, record.in_channels, record.level_widths[0], record.stem, stride=record.stem)


def closing(record: UNetRecord, channels: int) -> nn.Module:
    """The norm and activation that preactivation blocks leave to the head."""
    if record.block != "preactivation":
        return nn.Identity()
    return nn.Sequential(*norm_and_activation(record, channels, in_place=False))
