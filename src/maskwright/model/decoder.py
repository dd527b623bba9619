"""The decoder: from the encoder's features back to the finest level. Shapes: B C H W, or B C D H W."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from maskwright.model.blocks import block
from maskwright.model.layers import crop
from maskwright.model.layout import decoder_block, earlier, nodes
from maskwright.model.record import UNetRecord
from maskwright.model.skips import Join
from maskwright.model.ways import up


def build(record: UNetRecord, encoder_channels: Sequence[int | None]) -> "Decoder | NestedDecoder":
    """The record's decoder for an encoder of so many channels a level, the finest first."""
    kind = NestedDecoder if record.skip == "nested" else Decoder
    return kind(record.in_decoder, encoder_channels)


class Decoder(nn.Module):
    """Level by level: enlarge, join the skip, block.

    channels: of each map that comes out, the finest level's first.
    """

    def __init__(self, record: UNetRecord, encoder_channels: Sequence[int | None]):
        super().__init__()
        self.every_level = record.deep_supervision
        # The lists run from the coarsest level up, in the order in which they are used.
        self.ups, self.joins, self.blocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        here = encoder_channels[-1]
        assert here is not None  # every encoder has a bottleneck
        channels: list[int] = []
        for level in reversed(range(record.depth)):
            above = record.up_channels(level, here)
            self.ups.append(up(record, here, above))
            join = Join(record, encoder_channels[level], above)
            self.joins.append(join)
            shape = decoder_block(record, level, join.channels)
            self.blocks.append(nn.Identity() if shape is None else block(record, shape))
            here = join.channels if shape is None else shape.channels_out
            channels.insert(0, here)
        self.channels = tuple(channels)

    def forward(self, features: list[Tensor | None]) -> list[Tensor]:
        """The finest level's map, and under deep supervision those of the others in training, the finest first.

        features: as the encoder gives them, the finest first; emptied, so that each is freed once it is joined.
        """
        here = features.pop()
        assert here is not None
        maps: list[Tensor] = []
        for enlarge, join, decode in zip(self.ups, self.joins, self.blocks, strict=True):
            here = decode(join(features.pop(), enlarge(here)))
            maps = [here, *maps] if self.every_level and self.training else [here]
        return maps


class NestedDecoder(nn.Module):
    """U-Net++: between encoder and decoder a triangle of nodes, each joined with all before it on its level.

    Node i, j stands on level i; i, 0 is the encoder's. It sees every node of its level before it, and node i+1, j-1
    enlarged. Zhou et al. 2018, arXiv 1807.10165. Valid networks crop all to the smallest.

    channels: of each map that comes out: node 0, depth; then 0, depth-1 … 0, 1 of the same resolution.
    """

    def __init__(self, record: UNetRecord, encoder_channels: Sequence[int | None]):
        super().__init__()
        self.order = nodes([channels is not None for channels in encoder_channels])
        self.ups, self.blocks = nn.ModuleDict(), nn.ModuleDict()
        widths = {(level, 0): channels for level, channels in enumerate(encoder_channels) if channels is not None}
        for level, column in self.order:
            below = widths[level + 1, column - 1]
            above = record.up_channels(level, below)
            self.ups[f"{level}_{column}"] = up(record, below, above)
            shape = decoder_block(record, level, above + sum(earlier(widths, level, column)))
            assert shape is not None  # the record demands convolutions where there are skips
            self.blocks[f"{level}_{column}"] = block(record, shape)
            widths[level, column] = shape.channels_out
        self.channels = tuple(widths[node] for node in reversed(self.order) if node[0] == 0)

    def forward(self, features: list[Tensor | None]) -> list[Tensor]:
        """The maps of nodes 0, depth … 0, 1, from the encoder's features, the finest first."""
        maps = {(level, 0): found for level, found in enumerate(features) if found is not None}
        for level, column in self.order:
            above = self.ups[f"{level}_{column}"](maps[level + 1, column - 1])
            maps[level, column] = self.blocks[f"{level}_{column}"](joined([*earlier(maps, level, column), above]))
        return [maps[node] for node in reversed(self.order) if node[0] == 0]


def joined(maps: list[Tensor]) -> Tensor:
    """Maps one after the other in the channels, each cropped to the smallest."""
    smallest = min((found.shape[2:] for found in maps), key=tuple)
    return torch.cat([crop(found, smallest) for found in maps], dim=1)
