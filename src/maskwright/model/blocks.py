"""The parts a U-Net is made of: convolution units, blocks, and the ways down and up. Shapes: B C H W."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.model.record import UNetRecord

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def activation(record: UNetRecord) -> nn.Module:
    """The record's activation, in place where the layer can: it halves the memory of a block."""
    if record.activation == "gelu":
        return nn.GELU()
    return ACTIVATIONS[record.activation](inplace=True)


def norm(record: UNetRecord, channels: int) -> nn.Module:
    """The record's normalisation of so many channels."""
    if record.norm == "batch":
        return nn.BatchNorm2d(channels)
    if record.norm == "instance":
        return InstanceNorm(channels, affine=True)
    if record.norm == "group":
        groups = next(g for g in range(min(record.groups, channels), 0, -1) if channels % g == 0)
        return GroupNorm(groups, channels)
    return nn.Identity()


# PyTorch's modules refuse to normalise a single value, in prediction too; an image no larger than the stride makes
# such a map at the bottleneck. The operators beneath give the bias there.
class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm that takes maps of one pixel too."""

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same."""
        return torch.instance_norm(features, self.weight, self.bias, None, None, True, 0.0, self.eps, True)


class GroupNorm(nn.GroupNorm):
    """Group norm that takes maps of one pixel too."""

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same."""
        return torch.group_norm(features, self.num_groups, self.weight, self.bias, self.eps)


def convolution(record: UNetRecord, channels_in: int, channels_out: int, *, active: bool = True) -> nn.Sequential:
    """3×3 convolution → norm → activation. There is no bias where the norm has one."""
    conv = nn.Conv2d(
        channels_in,
        channels_out,
        kernel_size=3,
        padding=1 if record.padding == "same" else 0,
        bias=record.norm == "none",
    )
    layers = [conv, norm(record, channels_out)]
    if active:
        layers.append(activation(record))
    return nn.Sequential(*layers)


class PlainBlock(nn.Module):
    """Convolutions one after another; dropout, if any, after the last."""

    def __init__(self, record: UNetRecord, channels_in: int, channels_out: int, count: int, dropout: float):
        super().__init__()
        widths = [channels_in] + [channels_out] * count
        self.convolutions = nn.Sequential(*(convolution(record, a, b) for a, b in pairwise(widths)))
        self.dropout = nn.Dropout2d(dropout) if dropout else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C' H W (smaller by the convolutions' borders when they are valid)."""
        out: Tensor = self.dropout(self.convolutions(features))
        return out


class ResidualBlock(nn.Module):
    """Convolutions plus a shortcut, activated after the sum (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, record: UNetRecord, channels_in: int, channels_out: int, count: int, dropout: float):
        super().__init__()
        widths = [channels_in] + [channels_out] * count
        self.convolutions = nn.Sequential(
            *(convolution(record, a, b, active=i < count - 1) for i, (a, b) in enumerate(pairwise(widths)))
        )
        self.shortcut: nn.Module = nn.Identity()
        if channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, bias=record.norm == "none"),
                norm(record, channels_out),
            )
        self.activation = activation(record)
        self.dropout = nn.Dropout2d(dropout) if dropout else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C' H W; the shortcut is cropped where valid convolutions shrink the map."""
        changed = self.convolutions(features)
        kept = self.shortcut(crop(features, changed.shape[-2:]))
        out: Tensor = self.dropout(self.activation(changed + kept))
        return out


def block(record: UNetRecord, channels_in: int, channels_out: int, level: int, count: int) -> nn.Module:
    """The record's block for one level."""
    kind = PlainBlock if record.block == "plain" else ResidualBlock
    return kind(record, channels_in, channels_out, count, record.dropout if record.has_dropout(level) else 0.0)


def down(record: UNetRecord, channels: int) -> nn.Module:
    """Halves height and width; the channels stay. Strided: 3×3 where padded, 2×2 where valid, which loses nothing."""
    if record.down == "max":
        return nn.MaxPool2d(2)
    size, padding = (3, 1) if record.padding == "same" else (2, 0)
    conv = nn.Conv2d(channels, channels, size, stride=2, padding=padding, bias=record.norm == "none")
    return nn.Sequential(conv, norm(record, channels), activation(record))


def up(record: UNetRecord, channels_in: int, channels_out: int) -> nn.Module:
    """Doubles height and width and changes the channels."""
    if record.up == "transposed":
        return nn.ConvTranspose2d(channels_in, channels_out, kernel_size=2, stride=2)
    # The 1×1 convolution comes first: it commutes with the enlargement and costs a quarter there.
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1), Enlarge(2))


class Enlarge(nn.Module):
    """Bilinear enlargement by a whole factor."""

    def __init__(self, factor: int):
        super().__init__()
        self.factor = factor

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C fH fW."""
        return F.interpolate(features, scale_factor=self.factor, mode="bilinear", align_corners=False)


def crop(features: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """The middle of the map, as large as `size`; the map itself where it already is."""
    high, wide = features.shape[-2] - size[0], features.shape[-1] - size[1]
    if not high and not wide:
        return features
    top, left = high // 2, wide // 2
    return features[..., top : top + size[0], left : left + size[1]]


def initialise(network: nn.Module, head: nn.Conv2d) -> None:
    """Set every convolution's weights by he-normal (truncated at two standard deviations, as Keras draws it).

    The head starts near zero, so that at first all classes are about equally likely and no step is spent on
    unlearning a random opinion. Source: He et al. 2015, arXiv 1502.01852.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            # A stride-2 transposed 2×2 convolution reads each input once: its fan-in is the input channels.
            weights_per_output = layer.weight[0].numel() if isinstance(layer, nn.Conv2d) else layer.in_channels
            # Cutting at two deviations leaves 0.8796 of the spread.
            deviation = (2.0 / weights_per_output) ** 0.5 / 0.87962566103423978
            nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    nn.init.normal_(head.weight, std=0.01)
