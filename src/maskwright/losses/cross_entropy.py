"""Cross-entropy, binary and multi-class."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from maskwright.losses.registry import losses
from maskwright.records import IGNORED


@losses.register("cross_entropy")
class CrossEntropy:
    """The mean of -log p(true class) over the pixels that count, each weighted by its class.

    One channel of logits is read through a sigmoid (p of class 1), several through a softmax. With weights w, the
    mean is Σ w·loss / Σ w, so that weights change the balance between classes and not the size of the loss.
    """

    def __init__(self, *, class_weights: Sequence[float] | None = None):
        self.class_weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)

    def __call__(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        """The loss for labels 0 … K-1 (0 and 1 with one channel), `IGNORED` elsewhere."""
        logits, labels = logits_BKHW.float(), labels_BHW.long()
        weights = None if self.class_weights is None else self.class_weights.to(logits.device)
        if logits.shape[1] > 1:
            total = F.cross_entropy(logits, labels, weight=weights, ignore_index=IGNORED, reduction="sum")
            per_pixel = torch.ones(logits.shape[1], device=logits.device) if weights is None else weights
            counted = labels != IGNORED
            amount = per_pixel[labels.where(counted, 0)].where(counted, 0).sum()
        else:
            counted = labels != IGNORED
            target = (labels == 1).float()
            pixel_weights = counted.float()
            if weights is not None:
                pixel_weights = pixel_weights * torch.where(labels == 1, weights[1], weights[0])
            total = F.binary_cross_entropy_with_logits(logits[:, 0], target, pixel_weights, reduction="sum")
            amount = pixel_weights.sum()
        return total / amount.clamp(min=torch.finfo(torch.float32).tiny)
