"""The U-Net: one encoder, one decoder, skips between them. Ronneberger, Fischer, Brox 2015, arXiv 1505.04597."""

from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.model import blocks
from maskwright.model.record import UNetRecord
from maskwright.model.sizes import demand_fit


class UNet(nn.Module):
    """A U-Net as a plain `nn.Module`: images in, logits out.

    >>> network = UNet(in_channels=3, classes=2, depth=3, base=16)
    >>> network(torch.zeros(1, 3, 101, 90)).shape
    torch.Size([1, 2, 101, 90])

    A same-padded network takes any size: it is mirrored up to a multiple of `record.stride` at the lower and right
    border, and the logits are cut back. A valid network takes sizes that fit and says which do (`model.sizes`).
    """

    def __init__(self, in_channels: int = 3, classes: int = 2, **settings: Any):
        super().__init__()
        record = UNetRecord.read({"in_channels": in_channels, "classes": classes, **settings}, "UNet(…)")
        self.record = record
        widths = record.level_widths
        self.stem: nn.Module = nn.Identity()
        first = record.in_channels
        if record.stem > 1:
            first = widths[0]
            conv = nn.Conv2d(record.in_channels, first, record.stem, stride=record.stem, bias=record.norm == "none")
            self.stem = nn.Sequential(conv, blocks.norm(record, first), blocks.activation(record))
        levels_in = (first, *widths[:-1])
        self.encoder = nn.ModuleList(
            blocks.block(record, a, b, level, record.convolutions)
            for level, (a, b) in enumerate(zip(levels_in, widths, strict=True))
        )
        self.downs = nn.ModuleList(blocks.down(record, width) for width in widths[:-1])
        # Decoder lists run from the coarsest level up, in the order in which they are used.
        self.ups = nn.ModuleList(
            blocks.up(record, widths[level + 1], widths[level]) for level in reversed(range(record.depth))
        )
        self.decoder = nn.ModuleList(
            blocks.block(record, 2 * widths[level], widths[level], level, record.up_convolutions)
            for level in reversed(range(record.depth))
        )
        self.head = nn.Conv2d(widths[0], record.classes, kernel_size=1)
        self.enlarge = blocks.Enlarge(record.stem) if record.stem > 1 else nn.Identity()
        if record.init == "he_normal":
            blocks.initialise(self, self.head)

    @classmethod
    def from_record(cls, record: UNetRecord) -> Self:
        """The network a record describes, with fresh weights."""
        return cls(**record.plain())

    def forward(self, images: Tensor) -> Tensor:
        """Logits, B K H W, float, for images B C H W, float, normalised; smaller than the images when valid.

        Raises:
            DataError: the size does not fit a valid network.
        """
        if self.record.padding == "valid":
            demand_fit(self.record, *images.shape[-2:])
            return self.logits(images)
        height, width = images.shape[-2:]
        fitted = mirror_to_multiple(images, self.record.stride)
        return self.logits(fitted)[..., :height, :width]

    def logits(self, images: Tensor) -> Tensor:
        """Logits for images whose size fits."""
        features = self.stem(images)
        skips = []
        for encode, halve in zip(self.encoder, self.downs, strict=False):
            features = encode(features)
            skips.append(features)
            features = halve(features)
        features = self.encoder[-1](features)
        for double, decode in zip(self.ups, self.decoder, strict=True):
            features = double(features)
            features = decode(torch.cat([blocks.crop(skips.pop(), features.shape[-2:]), features], dim=1))
        out: Tensor = self.enlarge(self.head(features))
        return out


def mirror_to_multiple(images: Tensor, stride: int) -> Tensor:
    """Images, B C H W, mirrored at the lower and right border until both sides are multiples of `stride`.

    Images too small to mirror that far repeat their last row or column instead.
    """
    height, width = images.shape[-2:]
    below, right = -height % stride, -width % stride
    if not below and not right:
        return images
    mode = "reflect" if below < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, below), mode=mode)
