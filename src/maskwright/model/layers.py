"""The layers a U-Net is made of, in two dimensions or three: whatever `record.dims` says.

Shapes: B C and then the image's H W, or D H W, written H W throughout.
"""

from collections.abc import Sequence

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

Conv = nn.Conv2d | nn.Conv3d
TransposedConv = nn.ConvTranspose2d | nn.ConvTranspose3d


def convolution(
    record: UNetRecord,
    channels_in: int,
    channels_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = True,
) -> Conv:
    """A convolution with the record's padding. A valid one that strides is as wide as its stride: it loses nothing."""
    if record.padding == "valid" and stride > 1:
        kernel = stride
    # An even kernel is as wide as its stride and needs no padding.
    padding = (kernel - 1) // 2 if record.padding == "same" and kernel % 2 else 0
    kind = nn.Conv2d if record.dims == 2 else nn.Conv3d
    return kind(channels_in, channels_out, kernel, stride=stride, padding=padding, groups=groups, bias=bias)


def transposed(record: UNetRecord, channels_in: int, channels_out: int, kernel: int, *, bias: bool) -> TransposedConv:
    """A transposed convolution of stride 2, 2 or 3 wide, that exactly doubles the size."""
    more = kernel - 2
    if record.dims == 2:
        return nn.ConvTranspose2d(channels_in, channels_out, kernel, 2, padding=more, output_padding=more, bias=bias)
    return nn.ConvTranspose3d(channels_in, channels_out, kernel, 2, padding=more, output_padding=more, bias=bias)


def max_pool(record: UNetRecord, stride: int = 2) -> nn.Module:
    """The maximum of each two neighbours in every dimension."""
    return nn.MaxPool2d(2, stride) if record.dims == 2 else nn.MaxPool3d(2, stride)


def mean_pool(record: UNetRecord, stride: int = 2) -> nn.Module:
    """The mean of each two neighbours in every dimension."""
    return nn.AvgPool2d(2, stride) if record.dims == 2 else nn.AvgPool3d(2, stride)


def activation(record: UNetRecord, *, in_place: bool = True) -> nn.Module:
    """The record's activation, in place where the layer can: it halves the memory of a block."""
    if record.activation == "gelu":
        return nn.GELU()
    return ACTIVATIONS[record.activation](inplace=in_place)


def dropout(record: UNetRecord, share: float) -> nn.Module:
    """The record's dropout of so large a share; nothing for 0."""
    if not share:
        return nn.Identity()
    if record.dropout_unit == "value":
        return nn.Dropout(share)
    return nn.Dropout2d(share) if record.dims == 2 else nn.Dropout3d(share)


def norm(record: UNetRecord, channels: int) -> nn.Module:
    """The record's normalisation of so many channels."""
    if record.norm == "batch":
        return nn.BatchNorm2d(channels) if record.dims == 2 else nn.BatchNorm3d(channels)
    if record.norm == "instance":
        return InstanceNorm(channels, affine=True)
    if record.norm == "group":
        groups = next(g for g in range(min(record.groups, channels), 0, -1) if channels % g == 0)
        return GroupNorm(groups, channels)
    if record.norm == "layer":
        return PixelNorm(channels)
    return nn.Identity()


# PyTorch's modules refuse to normalise a single value, in prediction too; an image no larger than the stride makes
# such a map at the bottleneck. The operators beneath give the bias there.
class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm that takes maps of one pixel too, and of any dimensions."""

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same."""
        return torch.instance_norm(features, self.weight, self.bias, None, None, True, 0.0, self.eps, True)


class GroupNorm(nn.GroupNorm):
    """Group norm that takes maps of one pixel too."""

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same."""
        return torch.group_norm(features, self.num_groups, self.weight, self.bias, self.eps)


class PixelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel, as ConvNeXt has it (Liu et al. 2022, arXiv 2201.03545)."""

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same."""
        last = F.layer_norm(features.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return last.movedim(-1, 1)


def norm_and_activation(record: UNetRecord, channels: int, *, in_place: bool = True) -> list[nn.Module]:
    """Both in the record's order."""
    # In place is for what a layer just made: without a norm between them, an activation would change the map itself.
    own = in_place or (record.norm != "none" and record.norm_order == "before")
    both = [norm(record, channels), activation(record, in_place=own)]
    return both if record.norm_order == "before" else both[::-1]


def norm_follows(record: UNetRecord) -> bool:
    """Whether a norm comes right after a unit's convolution, so that this needs no bias."""
    return record.norm != "none" and record.norm_order == "before"


def unit(
    record: UNetRecord, channels_in: int, channels_out: int, kernel: int = 3, *, stride: int = 1, active: bool = True
) -> nn.Sequential:
    """Convolution → norm → activation, or activation → norm. There is no bias where the norm has one.

    active: False leaves the activation to what follows, and the norm with it where that comes after.
    """
    conv = convolution(record, channels_in, channels_out, kernel, stride=stride, bias=not norm_follows(record))
    if active:
        return nn.Sequential(conv, *norm_and_activation(record, channels_out))
    return nn.Sequential(conv, norm(record, channels_out)) if norm_follows(record) else nn.Sequential(conv)


def crop(features: Tensor, size: Sequence[int]) -> Tensor:
    """The middle of the map, as large as `size`; the map itself where it already is."""
    for dim, wanted in enumerate(size, start=features.ndim - len(size)):
        more = features.shape[dim] - wanted
        if more:
            features = features.narrow(dim, more // 2, wanted)
    return features


def initialise(record: UNetRecord, network: nn.Module) -> None:
    """Set the weights of every convolution in `network` by the record's he-normal; biases are 0.

    Source: He et al. 2015, arXiv 1502.01852; cut at two standard deviations as Keras draws it, or not.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            fan_in: float = layer.weight[0].numel()
        elif isinstance(layer, nn.ConvTranspose2d | nn.ConvTranspose3d):
            # With stride 2 an output sees every second weight in each dimension: of a 2×2 kernel one a channel.
            fan_in = layer.weight[:, 0].numel() / 2**record.dims
        else:
            continue
        deviation = (2.0 / fan_in) ** 0.5
        if record.init == "he_truncated":
            deviation /= 0.87962566103423978  # cutting at two deviations leaves that much of the spread
            nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        else:
            nn.init.normal_(layer.weight, std=deviation)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
