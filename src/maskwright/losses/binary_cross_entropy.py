"""Binary cross-entropy: every channel is a question of its own."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.losses.pixels import class_weights_of, counted_weights, weighted_mean
from maskwright.losses.registry import LossRecord, losses
from maskwright.records import IGNORED


@losses.register("binary_cross_entropy")
class BinaryCrossEntropy(LossRecord):
    """The mean of -log p(right answer) over channels and pixels, each channel read through its own sigmoid.

    Labels B H W are asked one against the rest: is this pixel of class k? Labels B K H W of 0, 1 and `IGNORED` answer
    for each channel, so that a pixel may belong to several classes or none; what is ignored is so for its channel only.
    With one channel it is the binary cross-entropy.
    """

    uses_pixel_weights: ClassVar[bool] = True

    class_weights: tuple[float, ...] | None = None
    """One number a channel; with a single channel two, for the answers 0 and 1. None: all alike."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """The share of each answer that is spread evenly over yes and no."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss; labels B H W or B K H W, weights B H W for all channels alike."""
        logits, labels = logits.float(), labels.long()
        target, counted = _answers(logits, labels)
        share = counted.float()
        weights_K = class_weights_of(self.class_weights, logits)
        if weights_K is not None and logits.shape[1] == 1:
            share = share * torch.where(target, weights_K[1], weights_K[0])
        elif weights_K is not None:
            share = share * weights_K.view(-1, *[1] * (logits.ndim - 2))
        if weights is not None:
            # Known in some channel: a pixel that is ignored in all of them may hold any weight.
            weights = counted_weights(weights, counted.any(dim=1))[:, None]
        answers = target.float() * (1 - self.label_smoothing) + self.label_smoothing / 2
        return weighted_mean(F.binary_cross_entropy_with_logits(logits, answers, reduction="none"), share, weights)


def _answers(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Yes or no, and whether it is known, both B K H W."""
    if labels.ndim == logits.ndim:
        if labels.shape != logits.shape:
            raise SettingError(
                f"The labels are {tuple(labels.shape)}, the logits {tuple(logits.shape)}: labels a channel must have "
                "the shape of the logits."
            )
        return labels == 1, labels != IGNORED
    counted = (labels != IGNORED)[:, None].expand_as(logits)
    if logits.shape[1] == 1:
        return (labels == 1)[:, None], counted
    classes = torch.arange(logits.shape[1], device=labels.device).view(-1, *[1] * (logits.ndim - 2))
    return labels[:, None] == classes, counted
