"""What a network says while it learns: one map of logits, or with deep supervision one a level."""

from collections.abc import Sequence

import torch
from torch import Tensor

from maskwright.model.blocks import crop

Outputs = Tensor | Sequence[Tensor]
"""Logits B K H W, or several, the finest first."""


def finest(outputs: Outputs) -> Tensor:
    """The logits that a prediction would be made from."""
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def cropped(labels: Tensor, weights: Tensor | None, size: torch.Size) -> tuple[Tensor, Tensor | None]:
    """The middle of labels and pixel weights, B H W, as large as the logits of a valid network."""
    return crop(labels, size), None if weights is None else crop(weights, size)
