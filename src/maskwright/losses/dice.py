"""Soft Dice loss. Milletari et al. 2016, arXiv 1606.04797."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from maskwright.losses.registry import losses
from maskwright.records import IGNORED


@losses.register("dice")
class Dice:
    """One minus the mean over classes of 2 Σ p·t / (Σ p + Σ t), sums over the whole batch.

    Only classes that occur in the batch enter the mean: an absent class has no overlap to win, and cross-entropy
    already teaches not to predict it. With one channel of logits the one class is the foreground.
    """

    def __init__(self, *, class_weights: Sequence[float] | None = None):
        del class_weights  # each class has the same say already, however few its pixels

    def __call__(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        """The loss, 0 … 1; 0 where no class occurs."""
        logits, labels = logits_BKHW.float(), labels_BHW.long()  # sums of 16-bit numbers overflow
        counted_BHW = labels != IGNORED
        if logits.shape[1] > 1:
            probabilities = logits.softmax(dim=1)
            target = F.one_hot(labels.where(counted_BHW, 0), logits.shape[1]).movedim(-1, 1)
        else:
            probabilities = logits.sigmoid()
            target = (labels == 1)[:, None]
        counted = counted_BHW[:, None]
        target_BKHW = (target * counted).float()
        probabilities = probabilities * counted
        overlap_K = (probabilities * target_BKHW).sum(dim=(0, 2, 3))
        true_K = target_BKHW.sum(dim=(0, 2, 3))
        size_K = probabilities.sum(dim=(0, 2, 3)) + true_K
        occurs_K = (true_K > 0).float()
        loss_K = 1 - 2 * overlap_K / size_K.clamp(min=torch.finfo(torch.float32).tiny)
        return (loss_K * occurs_K).sum() / occurs_K.sum().clamp(min=1)
