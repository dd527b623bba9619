"""The blocks of a U-Net: what happens at one resolution. Shapes: B C H W, or B C D H W in three dimensions."""

import torch
from torch import Tensor, nn

from maskwright.model.layers import (
    activation,
    convolution,
    crop,
    dropout,
    mean_pool,
    norm,
    norm_and_activation,
    norm_follows,
    unit,
)
from maskwright.model.layout import BlockShape, has_entry, residual_kernels
from maskwright.model.record import UNetRecord


def block(record: UNetRecord, shape: BlockShape) -> nn.Module:
    """The record's block of one shape."""
    if record.block == "plain":
        return PlainBlock(record, shape)
    if record.block == "preactivation":
        return PreactivationBlock(record, shape)
    if record.block == "convnext":
        return ConvNextBlock(record, shape)
    return ResidualBlock(record, shape)


class Block(nn.Module):
    """What all blocks share: dropout at their start or at their end."""

    def __init__(self, record: UNetRecord, shape: BlockShape):
        super().__init__()
        self.dropout = dropout(record, shape.dropout)
        self.dropout_first = record.dropout_place == "before"

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C' H W (smaller by the convolutions' borders when they are valid)."""
        if self.dropout_first:
            return self.changed(self.dropout(features))
        out: Tensor = self.dropout(self.changed(features))
        return out

    def changed(self, features: Tensor) -> Tensor:
        """The same, dropout aside."""
        raise NotImplementedError


class PlainBlock(Block):
    """Convolution units one after another."""

    def __init__(self, record: UNetRecord, shape: BlockShape):
        super().__init__(record, shape)
        bare = record.model_copy(update={"norm": "none"}) if record.norm_at == "block" else record
        last = shape.convolutions - 1
        self.convolutions = nn.Sequential(
            *(
                unit(
                    record if index == last else bare,
                    shape.channels_out if index else shape.channels_in,
                    shape.channels_out,
                    stride=1 if index else shape.stride,
                )
                for index in range(shape.convolutions)
            )
        )
        self.squeeze = squeeze(record, shape.channels_out)

    def changed(self, features: Tensor) -> Tensor:
        """Units, then squeeze-and-excitation if there is one."""
        out: Tensor = self.squeeze(self.convolutions(features))
        return out


class ResidualBlock(Block):
    """Convolutions plus a shortcut, activated after the sum (He et al. 2015, arXiv 1512.03385).

    Bottleneck: 1×1 to a quarter of the channels, 3×3 convolutions there, 1×1 back. Where the block halves the
    resolution its shortcut is pooled, not strided (ResNet-D, He et al. 2018, arXiv 1812.01187).
    """

    def __init__(self, record: UNetRecord, shape: BlockShape):
        super().__init__(record, shape)
        kernels = residual_kernels(record, shape)
        widths = [shape.channels_in, *(out for _, out, _ in kernels)]
        self.convolutions = nn.Sequential(
            *(
                unit(record, widths[index], out, kernel, stride=stride, active=index < len(kernels) - 1)
                for index, (kernel, out, stride) in enumerate(kernels)
            )
        )
        self.squeeze = squeeze(record, shape.channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if shape.channels_in != shape.channels_out:
            self.shortcut = unit(record, shape.channels_in, shape.channels_out, 1, active=False)
        self.pool = mean_pool(record) if shape.stride > 1 else nn.Identity()
        # With the norm before the activation, the last unit and the shortcut have theirs already.
        after = [activation(record)] if norm_follows(record) else norm_and_activation(record, shape.channels_out)
        self.activation = nn.Sequential(*after) if len(after) > 1 else after[0]

    def changed(self, features: Tensor) -> Tensor:
        """The shortcut is cropped where valid convolutions shrink the map."""
        changed = self.squeeze(self.convolutions(features))
        kept = self.shortcut(crop(self.pool(features), changed.shape[2:]))
        out: Tensor = self.activation(changed + kept)
        return out


class PreactivationBlock(Block):
    """Norm, activation, convolution, in this order, plus a shortcut that nothing touches (He et al. 2016, 1603.05027).

    Where the shortcut needs a convolution, for the channels' sake, it starts from the first norm and activation too,
    as in the paper.
    """

    def __init__(self, record: UNetRecord, shape: BlockShape):
        super().__init__(record, shape)
        out = shape.channels_out
        before = [] if shape.ready else norm_and_activation(record, shape.channels_in, in_place=False)
        self.first = nn.Sequential(*before)
        # Whatever comes next begins with a norm, or the head's closing one, which takes any bias away.
        bias = record.norm == "none"
        layers: list[nn.Module] = [convolution(record, shape.channels_in, out, 3, stride=shape.stride, bias=bias)]
        for _ in range(shape.convolutions - 1):
            layers += [*norm_and_activation(record, out), convolution(record, out, out, 3, bias=bias)]
        self.convolutions = nn.Sequential(*layers)
        self.squeeze = squeeze(record, out)
        self.pool = mean_pool(record) if shape.stride > 1 else nn.Identity()
        self.shortcut: nn.Module | None = None
        if shape.channels_in != out:
            self.shortcut = convolution(record, shape.channels_in, out, 1, bias=False)

    def changed(self, features: Tensor) -> Tensor:
        """The shortcut is cropped where valid convolutions shrink the map."""
        ahead = self.first(features)
        changed: Tensor = self.squeeze(self.convolutions(ahead))
        kept = crop(self.pool(features if self.shortcut is None else ahead), changed.shape[2:])
        return changed + (kept if self.shortcut is None else self.shortcut(kept))


class ConvNextBlock(Block):
    """ConvNeXt units one after another (Liu et al. 2022, arXiv 2201.03545).

    As in the paper, units leave width and resolution alone: a convolution as wide as its stride changes them before.
    """

    def __init__(self, record: UNetRecord, shape: BlockShape):
        super().__init__(record, shape)
        out, stride = shape.channels_out, shape.stride
        self.entry: nn.Module = nn.Identity()
        if has_entry(shape):
            self.entry = convolution(record, shape.channels_in, out, stride, stride=stride)
        self.convolutions = nn.Sequential(*(ConvNextUnit(record, out) for _ in range(shape.convolutions)))

    def changed(self, features: Tensor) -> Tensor:
        """One unit after another."""
        out: Tensor = self.convolutions(self.entry(features))
        return out


class ConvNextUnit(nn.Module):
    """Depthwise 7×7, norm, 1×1 to four times the channels, activation, 1×1, plus a shortcut."""

    def __init__(self, record: UNetRecord, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            convolution(record, channels, channels, 7, groups=channels, bias=record.norm == "none"),
            norm(record, channels),
            convolution(record, channels, 4 * channels, 1),
            activation(record),
            convolution(record, 4 * channels, channels, 1),
            squeeze(record, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same (3 pixels less on each side when valid)."""
        changed: Tensor = self.layers(features)
        return changed + crop(features, changed.shape[2:])


def squeeze(record: UNetRecord, channels: int) -> nn.Module:
    """The record's squeeze-and-excitation; nothing where there is none."""
    return nn.Identity() if record.squeeze is None else SqueezeExcitation(record, channels, record.squeeze)


class SqueezeExcitation(nn.Module):
    """Every channel weighed by what the whole map shows (Hu et al. 2017, arXiv 1709.01507)."""

    def __init__(self, record: UNetRecord, channels: int, reduction: int):
        super().__init__()
        narrow = max(1, channels // reduction)
        self.weigh = nn.Sequential(
            convolution(record, channels, narrow, 1), activation(record), convolution(record, narrow, channels, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → the same."""
        mean = features.mean(dim=tuple(range(2, features.ndim)), keepdim=True)
        return features * torch.sigmoid(self.weigh(mean))
