"""The loss of what a network says while it learns: one map of logits, or with deep supervision one a level."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from maskwright.model.blocks import crop

Outputs = Tensor | Sequence[Tensor]
"""Logits B K H W, or several, the finest first."""


def finest(outputs: Outputs) -> Tensor:
    """The logits that a prediction would be made from."""
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def cropped(labels: Tensor, weights: Tensor | None, size: torch.Size) -> tuple[Tensor, Tensor | None]:
    """The middle of labels and pixel weights, B H W, as large as the logits of a valid network."""
    return crop(labels, size), None if weights is None else crop(weights, size)


def supervised(loss: Callable[..., Tensor], outputs: Outputs, labels: Tensor, weights: Tensor | None) -> Tensor:
    """The loss of the outputs, a scalar. Several count 1, 1/2, 1/4 … over their sum, each against labels of its size.

    Labels and weights, B H W, are brought to the coarser sizes by taking the nearest.
    """
    if isinstance(outputs, Tensor):
        return loss(outputs, labels) if weights is None else loss(outputs, labels, weights)
    shares = [0.5**level for level in range(len(outputs))]
    sizes = [logits.shape[-2:] for logits in outputs]
    losses = [
        supervised(loss, logits, _nearest(labels, size), None if weights is None else _nearest(weights, size))
        for logits, size in zip(outputs, sizes, strict=True)
    ]
    return torch.stack([share / sum(shares) * each for share, each in zip(shares, losses, strict=True)]).sum()


def _nearest(values: Tensor, size: torch.Size) -> Tensor:
    """B H W at another size, of the same type."""
    if values.shape[-2:] == size:
        return values
    return F.interpolate(values[:, None].float(), tuple(size), mode="nearest")[:, 0].to(values.dtype)
