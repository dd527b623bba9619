"""Which blocks stand where: read by what builds the network and by what draws it for sizes and costs alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from maskwright.model.record import UNetRecord

T = TypeVar("T")


@dataclass(frozen=True)
class BlockShape:
    """What one block is told beside the record."""

    channels_in: int
    channels_out: int
    convolutions: int
    stride: int = 1
    """2: its first convolution halves the resolution."""
    dropout: float = 0.0
    ready: bool = False
    """Whether what comes in is the image, or went through a norm and an activation: a preactivation block then adds
    none of its own before the first convolution."""


def stem_channels(record: UNetRecord) -> int:
    """Channels of what the finest level's first block sees."""
    return record.level_widths[0] if record.stem > 1 else record.in_channels


def encoder_blocks(record: UNetRecord, level: int) -> list[BlockShape]:
    """The blocks of a level of the record's own encoder, in order."""
    width = record.level_widths[level]
    first = stem_channels(record) if level == 0 else record.encoder_channels[level - 1]
    untouched = level == 0 or (level == 1 and not record.level_blocks[0]) or record.down == "strided"
    return [
        BlockShape(
            channels_in=width if index else first,
            channels_out=width,
            convolutions=record.level_convolutions[level],
            stride=2 if level and not index and record.down == "strided_block" else 1,
            dropout=record.encoder_dropout(level, index),
            ready=untouched and not index,
        )
        for index in range(record.level_blocks[level])
    ]


def decoder_block(record: UNetRecord, level: int, channels_in: int) -> BlockShape | None:
    """The block of a level of the decoder; None at a finest level without convolutions."""
    count = record.level_decoder_convolutions[level]
    if not count:
        return None
    return BlockShape(channels_in, record.level_decoder_widths[level], count, dropout=record.decoder_dropout)


def residual_kernels(record: UNetRecord, shape: BlockShape) -> list[tuple[int, int, int]]:
    """Kernel, channels and stride of each convolution of a residual or bottleneck block, the shortcut aside.

    >>> residual_kernels(UNetRecord(block="bottleneck"), BlockShape(64, 64, 1))
    [(1, 16, 1), (3, 16, 1), (1, 64, 1)]
    """
    out = shape.channels_out
    if record.block != "bottleneck":
        return [(3, out, 1 if index else shape.stride) for index in range(shape.convolutions)]
    narrow = max(1, out // 4)
    wide = [(3, narrow, 1 if index else shape.stride) for index in range(shape.convolutions)]
    return [(1, narrow, 1), *wide, (1, out, 1)]


def has_entry(shape: BlockShape) -> bool:
    """Whether a ConvNeXt block begins with a convolution that changes the channels or the resolution."""
    return shape.channels_in != shape.channels_out or shape.stride > 1


def up_bias(record: UNetRecord) -> bool:
    """Whether the enlargement has a bias: not where a norm takes it away at once.

    A preactivation block begins with one; a bottleneck's first convolution, which a norm follows, is only 1×1.
    """
    normed = record.norm != "none" and record.norm_order == "before"
    return not (normed and (record.up_unit or record.block in {"preactivation", "bottleneck"}))


def nodes(present: Sequence[bool]) -> list[tuple[int, int]]:
    """Level and column of each node of U-Net++ beyond the encoder's, in an order in which they can be computed.

    present: whether the encoder has features on each level, the finest first. Where it has none, the node above them
    has nothing to stand on and is left out.

    >>> nodes([True, True, True])
    [(0, 1), (1, 1), (0, 2)]
    >>> nodes([False, False, True])
    [(1, 1), (0, 2)]
    """
    depth = len(present) - 1
    there = {(level, 0) for level, found in enumerate(present) if found}
    order = []
    for diagonal in range(1, depth + 1):
        for column in range(1, diagonal + 1):
            level = diagonal - column
            if (level + 1, column - 1) in there:
                there.add((level, column))
                order.append((level, column))
    return order


def earlier(found: Mapping[tuple[int, int], T], level: int, column: int) -> list[T]:
    """What belongs to the nodes before one on its level, the encoder's first."""
    return [found[level, before] for before in range(column) if (level, before) in found]
