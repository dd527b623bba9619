"""The open list of losses, and what each of them is."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from maskwright.registry import Registry


class Loss(Protocol):
    """A number that falls as the logits come to agree with the labels."""

    def __call__(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        """The loss, a float32 scalar, zero where every pixel is ignored."""


class LossFactory(Protocol):
    """What stands on the list: builds a loss from its options."""

    def __call__(self, *, class_weights: Sequence[float] | None = None) -> Loss:
        """The loss; `class_weights` has one number a class, for those losses that know weights."""


losses: Registry[LossFactory] = Registry("loss", "maskwright.losses")
