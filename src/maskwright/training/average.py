"""The running mean of the weights, which scores better than the weights themselves while the rate is high."""

import copy

import torch
from torch import Tensor, nn

from maskwright.training.sharding import whole


class Average:
    """A copy of the network whose weights are the exponential mean of those of the network being trained.

    The mean is young at first: the decay starts at 0.2 and rises to its own value, so that the random first weights
    are soon forgotten. Without a decay the copy follows the network exactly. Batch-norm statistics are averaged too.
    """

    def __init__(self, network: nn.Module, decay: float | None):
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._floats = [t for t in self.network.state_dict().values() if t.is_floating_point()]
        self._others = [t for t in self.network.state_dict().values() if not t.is_floating_point()]

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        now = list(whole(network.state_dict()).values())
        decay = 0.0 if self.decay is None else min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._floats, [t for t in now if t.is_floating_point()], 1 - decay)
        for mine, new in zip(self._others, (t for t in now if not t.is_floating_point()), strict=True):
            mine.copy_(new)

    def weights(self) -> dict[str, Tensor]:
        """A copy of the mean weights, by name, that later updates leave alone."""
        return {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
