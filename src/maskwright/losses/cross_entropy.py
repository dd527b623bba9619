"""Cross-entropy, binary and multi-class."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from maskwright.losses.pixels import class_share, class_weights_of, counted_weights
from maskwright.losses.registry import LossRecord, losses
from maskwright.records import IGNORED


@losses.register("cross_entropy")
class CrossEntropy(LossRecord):
    """The mean of -log p(true class) over the pixels that count, each weighted by its class.

    One channel of logits is read through a sigmoid (p of class 1), several through a softmax. With class weights c, the
    mean is Σ c·loss / Σ c, so that they change the balance between classes and not the size of the loss. With weights
    w a pixel it is Σ w·c·loss / Σ c: see `pixels`.
    """

    uses_pixel_weights: ClassVar[bool] = True

    class_weights: tuple[float, ...] | None = None
    """One number a class; None: all alike."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """The share of each label that is spread evenly over all classes (Szegedy et al. 2016)."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss for labels 0 … K-1 (0 and 1 with one channel), `IGNORED` elsewhere."""
        logits, labels = logits.float(), labels.long()
        weights_K = class_weights_of(self.class_weights, logits)
        counted = labels != IGNORED
        weights = None if weights is None else counted_weights(weights, counted)
        total = self._of_several if logits.shape[1] > 1 else self._of_one
        amount = counted.sum() if weights_K is None else class_share(labels, weights_K).sum()
        return total(logits, labels, weights_K, weights) / amount.clamp(min=torch.finfo(torch.float32).tiny)

    def _of_several(self, logits: Tensor, labels: Tensor, weights_K: Tensor | None, weights: Tensor | None) -> Tensor:
        def entropy(reduction: str) -> Tensor:
            return F.cross_entropy(
                logits,
                labels,
                weight=weights_K,
                ignore_index=IGNORED,
                reduction=reduction,
                label_smoothing=self.label_smoothing,
            )

        return entropy("sum") if weights is None else (entropy("none") * weights).sum()

    def _of_one(self, logits: Tensor, labels: Tensor, weights_K: Tensor | None, weights: Tensor | None) -> Tensor:
        target = (labels == 1).float()
        smoothed = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        share = (labels != IGNORED).float() if weights is None else weights
        if weights_K is None:
            return F.binary_cross_entropy_with_logits(logits[:, 0], smoothed, share, reduction="sum")
        # As with two logits 0 and z: each class's part of a smoothed label has that class's weight.
        if self.label_smoothing:
            nothing, everything = (torch.full_like(target, value) for value in (0.0, 1.0))
            shares = [(1 - smoothed) * weights_K[0] * share, smoothed * weights_K[1] * share]
            parts = [
                F.binary_cross_entropy_with_logits(logits[:, 0], certain, part, reduction="sum")
                for certain, part in zip((nothing, everything), shares, strict=True)
            ]
            return parts[0] + parts[1]
        return F.binary_cross_entropy_with_logits(
            logits[:, 0], target, share * torch.where(labels == 1, weights_K[1], weights_K[0]), reduction="sum"
        )
