"""Deep supervision: a loss at several sizes of the output, the finest counting most."""

from collections.abc import Sequence

import torch
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.losses.registry import Loss


def supervised(loss: Loss, outputs: Tensor | Sequence[Tensor], labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """The loss over all outputs: 1, ½, ¼ … times that of each, over the sum of these numbers (nnU-Net's weights).

    outputs: logits B K H W; or several of them, finest first, of one picture at several sizes. A single tensor gives
    the loss itself. Labels and weights are those of the finest size or finer; a coarser output has those in the middle
    of its cells, so a label stays a label and an ignored pixel ignored.

    Raises:
        SettingError: there is no output.
    """
    if isinstance(outputs, Tensor):
        return loss(outputs, labels, weights)
    if not outputs:
        raise SettingError("Deep supervision has no logits: the network must give at least one output.")
    total = torch.zeros((), device=outputs[0].device)
    for level, logits in enumerate(outputs):
        size = logits.shape[2:]
        small = None if weights is None else in_the_middle(weights, size)
        total = total + loss(logits, in_the_middle(labels, size), small) / 2**level
    return total / sum(2.0**-level for level in range(len(outputs)))


def in_the_middle(values: Tensor, size: Sequence[int]) -> Tensor:
    """The values … H W at the middle of each of the h w cells that the picture is cut into."""
    for axis, (new, old) in enumerate(zip(size, values.shape[-len(size) :], strict=True), start=-len(size)):
        if new != old:
            cells = torch.arange(new, device=values.device)
            # In whole numbers: torch's own nearest-exact takes no integer labels, and rounds.
            values = values.index_select(axis, (2 * cells + 1) * old // (2 * new))
    return values
