"""The open list of losses, and what each of them is."""

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor

from maskwright.records import Record
from maskwright.registry import Registry


class Loss(Protocol):
    """A number that falls as the logits come to agree with the labels."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss, a float32 scalar, zero with a gradient of zeros where every pixel is ignored.

        logits: B K H W or B K D H W. One channel is read through a sigmoid (the foreground), several through a softmax.
        labels: B H W or B D H W, 0 … K-1 (0 and 1 where K = 1), `IGNORED` where a pixel counts nowhere.
        weights: one number a pixel, shaped like the labels, for the losses that know them; None: all alike.
        """


class LossRecord(Record, ABC):
    """A loss whose fields are its options: it prints, saves and loads, and is called like any loss."""

    uses_pixel_weights: ClassVar[bool] = False
    """Whether `weights` change it. The losses that compare regions and shapes have no use for them."""
    lowest: ClassVar[float | None] = 0.0
    """What it is where the logits leave no doubt about the labels; None: that depends on the labels."""
    alone: ClassVar[bool] = True
    """Whether it can teach all there is. False: it looks at one feature only and wants another loss beside it."""

    @abstractmethod
    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss, as `Loss` has it."""


losses: Registry[type[LossRecord]] = Registry("loss", "maskwright.losses")
