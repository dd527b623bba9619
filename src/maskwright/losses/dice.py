"""Soft Dice loss. Milletari et al. 2016, arXiv 1606.04797; generalised: Sudre et al. 2017, arXiv 1707.03237."""

from typing import Self

from pydantic import model_validator
from torch import Tensor

from maskwright.losses.regions import TINY, Overlap, RegionLoss, mean_of
from maskwright.losses.registry import losses


@losses.register("dice")
class Dice(RegionLoss):
    """One minus the mean over classes of 2 Σ p·t / (Σ p + Σ t), sums over the whole batch.

    Only classes that occur in the batch enter the mean: an absent class has no overlap to win, and cross-entropy
    already teaches not to predict it. With one channel of logits the one class is the foreground.
    """

    squared: bool = False
    """Σ p² + Σ t² below, as Milletari et al. have it."""
    generalised: bool = False
    """One fraction for all classes, each of them weighted by 1 / (Σ t)² (Sudre et al.; the largest weight is set to 1,
    so that `smooth` means pixels)."""

    @model_validator(mode="after")
    def _weighted_by_size(self) -> Self:
        if self.generalised and self.absent:
            raise ValueError("generalised weighs a class by 1 / its size: absent ones have none, leave `absent` out")
        return self

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss, 0 … 1; 0 where no class occurs. Weights a pixel change nothing."""
        del weights
        found = self._overlap(logits, labels, squared=self.squared)
        both, size, counts = found.both, found.said + found.true, found.counts
        if self.generalised:
            share = _share(found)
            both, size = ((share * part).sum(dim=1, keepdim=True) for part in (both, size))
            counts = counts.amax(dim=1, keepdim=True)
        return mean_of(1 - (2 * both + self.smooth) / (size + self.smooth).clamp(min=TINY), counts)


def _share(found: Overlap) -> Tensor:
    """1 / (Σ t)² over its largest value, G K; 0 for absent classes."""
    inverse = found.counts / found.true.clamp(min=1)
    return (inverse / inverse.amax(dim=1, keepdim=True).clamp(min=TINY)).square()
