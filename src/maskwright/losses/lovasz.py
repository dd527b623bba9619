"""Lovász losses: the Jaccard index itself, made smooth. Berman et al. 2018, arXiv 1705.08790."""

from typing import Literal

import torch
from torch import Tensor

from maskwright.losses.registry import LossRecord, losses
from maskwright.records import IGNORED


@losses.register("lovasz")
class Lovasz(LossRecord):
    """The Lovász extension of one minus the Jaccard index: errors by size, each times what it costs the index.

    Several logits are read through a softmax, and the loss is the mean over the classes that occur (Lovász-softmax).
    One logit is read as it is, through a hinge at 1 (Lovász hinge): an empty mask then costs its worst pixel, so that
    it teaches too. Class weights and weights a pixel change nothing: each class has the same say.
    """

    per: Literal["batch", "image"] = "batch"
    """Whether the index is that of all images together, or the mean of theirs. Images that are ignored whole are left
    out."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss: 0 … 1 for several logits; for one, from 0 on, as a hinge has no top."""
        del weights
        logits, labels = logits.float(), labels.long()
        if self.per == "batch":
            return _of_pixels(*_counted(logits, labels))
        images = [_counted(*image) for image in zip(logits.split(1), labels.split(1), strict=True)]
        some = sum(bool(true.numel()) for _, true in images)
        return torch.stack([_of_pixels(*image) for image in images]).sum() / max(1, some)


def _counted(logits_BKHW: Tensor, labels_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """The logits K N and labels N of the pixels that count."""
    counted = (labels_BHW != IGNORED).flatten()
    return logits_BKHW.transpose(0, 1).flatten(1)[:, counted], labels_BHW.flatten()[counted]


def _of_pixels(logits_KN: Tensor, labels_N: Tensor) -> Tensor:
    if len(logits_KN) == 1:
        true_KN = (labels_N == 1)[None]
        errors_KN = (1 - torch.where(true_KN, logits_KN, -logits_KN)).clamp(min=0)
        present_K = torch.ones(1, device=labels_N.device)
    else:
        true_KN = labels_N == torch.arange(len(logits_KN), device=labels_N.device)[:, None]
        probabilities_KN = logits_KN.softmax(dim=0)
        errors_KN = torch.where(true_KN, 1 - probabilities_KN, probabilities_KN)
        present_K = true_KN.any(dim=1).float()
    errors_KN, order_KN = errors_KN.sort(dim=1, descending=True)
    loss_K = (errors_KN * _costs(true_KN.gather(1, order_KN))).sum(dim=1)
    return (loss_K * present_K).sum() / present_K.sum().clamp(min=1)


def _costs(true_KN: Tensor) -> Tensor:
    """By how much one minus the Jaccard index grows as one error after the other is made, K N.

    With I the intersection and U the union after the error, a missed pixel costs 1/U and a false one I / (U (U - 1)).
    That is exact for millions of pixels, where differences of indices near 1 would be lost in float32.
    """
    seen_KN = true_KN.cumsum(dim=1)
    truth_K1 = true_KN.sum(dim=1, keepdim=True)
    place_N = torch.arange(1, true_KN.shape[1] + 1, device=true_KN.device)
    both_KN = truth_K1 - seen_KN
    union_KN = truth_K1 + place_N - seen_KN
    missed, false = 1 / union_KN, both_KN / union_KN / (union_KN - 1).clamp(min=1)
    # Where nothing is true, the first false pixel takes the index from 1 (nothing in nothing) to 0; no other counts.
    first = (truth_K1 == 0) & (place_N == 1)
    return torch.where(true_KN, missed, false).masked_fill(first, 1.0)
