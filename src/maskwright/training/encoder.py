"""The encoder of a network as training sees it: what may stand still, and what may learn more slowly in front."""

from typing import Any, cast

from torch import nn


def parts(network: nn.Module) -> list[nn.Module]:
    """The modules that are the encoder: their weights, norms and dropouts are what stands still when it is frozen."""
    encoder = cast("nn.Module", network.encoder)
    if hasattr(encoder, "levels"):
        return [encoder]
    return [getattr(network, name) for name in ("stem", "encoder", "downs") if hasattr(network, name)]


def levels(network: nn.Module) -> list[list[nn.Parameter]]:
    """The encoder's parameters by level, the finest first, the bottleneck last; the stem belongs to the finest.

    An encoder that knows its levels says them by `levels()`. One that is a list of blocks has a level a block; the
    layer that halves the map on the way to a block belongs to that block's level.
    """
    encoder = cast("Any", network.encoder)
    if hasattr(encoder, "levels"):
        return [list(level) for level in encoder.levels()]
    before = [getattr(network, "stem", nn.Identity()), *getattr(network, "downs", ())]
    found = [list(block.parameters()) for block in encoder.children()]
    for level, layer in zip(found, before, strict=False):
        level[:0] = layer.parameters()
    return found
