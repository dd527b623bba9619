"""What a step tells of itself besides its loss: how steep the loss was, and how far the step moved the weights."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

EVERY: Final = 10
"""Steps between two looks at the weights. A look copies the kernels once: of a step that reads them some hundred times,
less than a hundredth."""


class Vitals(NamedTuple):
    """How far a step moved the kernels."""

    moved: float
    """Length of the step over the length of the weights, the median over the kernels; about 1e-3 is usual for AdamW."""
    weights: float
    """Length of all kernels together."""
    idle: tuple[str, ...]
    """Kernels whose gradient was exactly 0."""
    kernels: int
    """How many kernels there were to move."""


def kernels(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that turn one map into another, without biases and norms, by name; those that learn."""
    return {name: p for name, p in network.named_parameters() if p.ndim > 1 and p.requires_grad and p.grad is not None}


def slope(network: nn.Module) -> Tensor:
    """The length of all gradients together, a scalar on their device; 0 where there are none. Of shards: of ours."""
    gradients = [_own(p.grad) for p in network.parameters() if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    return torch.stack(list(torch._foreach_norm(gradients))).norm()


class Look:
    """Taken before a step, it tells afterwards how far the step went."""

    def __init__(self, network: nn.Module):
        self._kernels = kernels(network)
        self._before = [p.detach().clone() for p in self._kernels.values()]
        gradients = [p.grad for p in self._kernels.values() if p.grad is not None]
        self._slopes = _lengths(gradients)

    def vitals(self) -> Vitals:
        """What came of the step."""
        if not self._before:
            return Vitals(0.0, 0.0, (), 0)
        lengths = _lengths(self._before)
        torch._foreach_sub_(self._before, [p.detach() for p in self._kernels.values()])
        steps = _lengths(self._before)
        shares = sorted(step / max(length, 1e-12) for step, length in zip(steps, lengths, strict=True))
        idle = tuple(name for name, slope in zip(self._kernels, self._slopes, strict=True) if slope == 0)
        return Vitals(shares[len(shares) // 2], math.hypot(*lengths), idle, len(lengths))


def _own(tensor: Tensor) -> Tensor:
    """The part that this process holds of a sharded tensor; an ordinary one is its own part."""
    own: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return own


def _lengths(tensors: Sequence[Tensor]) -> list[float]:
    """The length of each; a GPU is asked once for all."""
    if not tensors:
        return []
    lengths: list[float] = torch.stack(list(torch._foreach_norm(list(tensors)))).tolist()
    return lengths
