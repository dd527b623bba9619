"""What an encoder costs of which only the name is known: built on the meta device, without weights, and run there."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from maskwright.model import encoders
from maskwright.model.record import UNetRecord


@dataclass(frozen=True)
class Measured:
    """What was found. values: numbers in all maps that it makes; channels: of its features, the finest first."""

    channels: tuple[int | None, ...]
    parameters: int
    multiply_adds: int
    values: int


@lru_cache(maxsize=32)
def measured(record: UNetRecord, size: tuple[int, ...]) -> Measured:
    """The record's encoder, run without arithmetic on images of that size in training mode; the cost of one."""
    with torch.device("meta"):
        encoder = encoders.build(record)
        images = torch.zeros(2, record.in_channels, *size)  # a batch norm refuses to train on one value a channel
    assert isinstance(encoder, nn.Module)
    encoder.train()
    products, maps = FlopCounterMode(display=False), CountMaps(record.dims)
    with products, maps:
        encoder(images)
    return Measured(
        channels=encoder.channels,
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        multiply_adds=products.get_total_flops() // 2 // 2,  # a product and a sum are two operations
        values=maps.values // 2,
    )


class CountMaps(TorchDispatchMode):
    """Counts the numbers in every map that is made anew while it is on: views and work in place make none."""

    def __init__(self, dims: int):
        super().__init__()
        self.dims, self.values = dims, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One operation of torch's; what it puts out first is the map."""
        out = func(*args, **(kwargs or {}))
        first = out[0] if isinstance(out, tuple | list) and out else out
        is_map = isinstance(first, Tensor) and first.is_floating_point() and first.ndim >= self.dims + 2
        # `_unsafe_view` is what a reshape ends in once it has copied: a view that does not say so.
        if is_map and func._schema.returns[0].alias_info is None and func is not torch.ops.aten._unsafe_view.default:
            self.values += first.numel()
        return out
