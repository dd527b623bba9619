"""The record's own encoder: its blocks, level by level, and what halves the resolution between them."""

from torch import Tensor, nn

from maskwright.model.blocks import block
from maskwright.model.layout import encoder_blocks
from maskwright.model.record import UNetRecord
from maskwright.model.ways import down, stem


class PlainEncoder(nn.Module):
    """Stem, blocks, halving, blocks, halving … bottleneck; also nnU-Net's residual encoder.

    channels: of each level's features, the finest first.
    """

    def __init__(self, record: UNetRecord):
        super().__init__()
        record = record.in_encoder
        self.channels: tuple[int | None, ...] = record.encoder_channels
        self.stem = stem(record)
        # A finest level without convolutions has no blocks: its skip is the image itself.
        self.blocks = nn.ModuleList(
            nn.Sequential(*(block(record, shape) for shape in encoder_blocks(record, level)))
            for level in range(record.depth + 1)
        )
        self.downs = nn.ModuleList(down(record, width) for width in record.encoder_channels[:-1])

    def forward(self, images: Tensor) -> list[Tensor | None]:
        """Features of images B C H W at each level, the finest first."""
        here = self.blocks[0](self.stem(images))
        features: list[Tensor | None] = [here]
        for halve, blocks in zip(self.downs, self.blocks[1:], strict=True):
            here = blocks(halve(here))
            features.append(here)
        return features

    def levels(self) -> list[list[nn.Parameter]]:
        """Its parameters by level, those nearest to the image first."""
        ahead = [self.stem, *self.downs]
        return [[*before.parameters(), *blocks.parameters()] for before, blocks in zip(ahead, self.blocks, strict=True)]
