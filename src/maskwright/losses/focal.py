"""Focal loss. Lin et al. 2017, arXiv 1708.02002."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.losses.pixels import class_share, class_weights_of, counted_weights, weighted_mean
from maskwright.losses.registry import LossRecord, losses
from maskwright.records import IGNORED


@losses.register("focal")
class Focal(LossRecord):
    """The mean of -(1 - p)^γ · log p, with p of the true class: pixels that are right already hardly count.

    γ = 0 is cross-entropy. Weights a class and a pixel are taken as there: see `pixels`. The paper does not divide by
    the class weights' sum; here α, too, changes the balance and not the size.
    """

    uses_pixel_weights: ClassVar[bool] = True

    gamma: float = Field(2.0, ge=0)
    """How soon a pixel that is nearly right stops to count."""
    alpha: float | None = Field(None, ge=0, le=1)
    """For two classes: the weight of class 1, 1 - α that of class 0. It goes before `class_weights`."""
    class_weights: tuple[float, ...] | None = None
    """One number a class; None: all alike."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss for labels 0 … K-1 (0 and 1 with one channel), `IGNORED` elsewhere.

        Raises:
            SettingError: `alpha` is set, and there are more than two classes.
        """
        logits, labels = logits.float(), labels.long()
        if self.alpha is not None and logits.shape[1] > 2:
            raise SettingError(f"focal: alpha is for two classes, there are {logits.shape[1]}; set class_weights.")
        balance = self.class_weights if self.alpha is None else (1 - self.alpha, self.alpha)
        share = class_share(labels, class_weights_of(balance, logits))
        log_p, log_rest = _true_and_rest(logits, labels)
        # (1 - p)^γ by its logarithm: exact where p is nearly 1, and its slope is finite there for γ below 1.
        loss = -(self.gamma * log_rest).exp() * log_p
        return weighted_mean(loss, share, None if weights is None else counted_weights(weights, labels != IGNORED))


def _true_and_rest(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithms of p(true class) and of 1 - p, B H W; of class 0 where a pixel is ignored."""
    if logits.shape[1] == 1:
        towards = torch.where(labels == 1, logits[:, 0], -logits[:, 0])
        return F.logsigmoid(towards), F.logsigmoid(-towards)
    log_p = logits.log_softmax(dim=1)
    true = labels.where(labels != IGNORED, 0)[:, None]
    return log_p.gather(1, true)[:, 0], log_p.scatter(1, true, -torch.inf).logsumexp(dim=1)
