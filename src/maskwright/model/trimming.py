"""Trimmed networks: what a window's outermost pixels would be is not computed, as a neighbouring window says it.

An exact tile is read with a halo as wide as the field of view, and of its logits only the inside is kept. The encoder
must see all of it; but each level of the decoder needs no more of its maps than the kept logits hang on.
"""

import copy
from functools import lru_cache

from torch import Tensor, nn

from maskwright.model.decoder import Decoder
from maskwright.model.drawing import drawing
from maskwright.model.graph import extents
from maskwright.model.record import UNetRecord
from maskwright.model.unet import UNet


class Trim(nn.Module):
    """A map without its outermost pixels."""

    def __init__(self, pixels: int):
        super().__init__()
        self.pixels = pixels

    def forward(self, features: Tensor) -> Tensor:
        """B C H W → B C H-2n W-2n."""
        every, inside = slice(None), slice(self.pixels, -self.pixels)
        return features[(every, every, *[inside] * (features.ndim - 2))]


def can_trim(record: UNetRecord) -> bool:
    """Whether such networks have trimmed ones: their field of view ends, and they are padded at each level."""
    return record.is_local and record.padding == "same" and record.skip != "nested"


def trimmed(network: UNet, margin: int) -> UNet:
    """A copy for prediction whose logits lack `margin` pixels on each side; the others are the network's own.

    Its `logits` take images of the sizes that the network's do, of more than twice the margin; `forward` is not to be
    called. margin: a multiple of the stride. `can_trim` says of which networks there is one.
    """
    out = copy.deepcopy(network).eval().requires_grad_(False)
    assert isinstance(out.decoder, Decoder), "U-Net++ is not trimmed"
    *levels, finest = trims(network.record, margin)
    for at, pixels in enumerate(levels):
        if pixels:
            out.decoder.ups[at] = nn.Sequential(out.decoder.ups[at], Trim(pixels))
    if finest:
        out.enlarge = nn.Sequential(out.enlarge, Trim(finest))
    out.trimmed = margin
    return out


@lru_cache(maxsize=64)
def trims(record: UNetRecord, margin: int) -> tuple[int, ...]:
    """Pixels that go on each side of a map: of what comes up at each level, the coarsest first, and of the logits.

    What comes up is cut to what all of its level and of the finer ones need; the skip is cropped to it.
    """
    drawn = drawing(record)
    (output, *_), stride = drawn.outputs, record.stride
    wanted = extents(drawn.nodes, output, 0, stride - 1)
    gone, found = 0, []
    for level in reversed(range(record.depth)):
        scale = record.stem * 2**level
        here = [
            wanted[at]
            for at, node in enumerate(drawn.nodes)
            if at in wanted and node.part == "decoder" and node.level == level and node.scale == scale
        ]
        before = -min(low for low, _ in here)
        after = max(high for _, high in here) - (stride // scale - 1)
        left_out = max(2 * gone, margin // scale - max(before, after))
        found.append(left_out - 2 * gone)
        gone = left_out
    return (*found, margin - record.stem * gone)
