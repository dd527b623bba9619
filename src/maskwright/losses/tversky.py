"""Tversky loss, Salehi et al. 2017, arXiv 1706.05721; focal: Abraham and Khan 2018, arXiv 1810.07842."""

from pydantic import Field
from torch import Tensor

from maskwright.losses.regions import TINY, RegionLoss, mean_of
from maskwright.losses.registry import losses


@losses.register("tversky")
class Tversky(RegionLoss):
    """One minus the mean over classes of T / (T + α F₊ + β F₋), with soft true positives, false positives, negatives.

    α = β = ½ is Dice, α = β = 1 Jaccard. β above α finds more of a small class, at the price of false alarms.
    """

    alpha: float = Field(0.3, ge=0)
    """What a false positive costs. (Abraham and Khan name the two the other way round.)"""
    beta: float = Field(0.7, ge=0)
    """What a false negative costs."""
    gamma: float = Field(1.0, gt=0)
    """Focal Tversky: a class's loss is raised to 1/γ. Above 1 classes that are nearly right keep pulling; 4/3 in the
    paper."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss, 0 … 1; 0 where no class occurs. Weights a pixel change nothing."""
        del weights
        found = self._overlap(logits, labels)
        wrong = self.alpha * (found.said - found.both) + self.beta * (found.true - found.both)
        loss = 1 - (found.both + self.smooth) / (found.both + wrong + self.smooth).clamp(min=TINY)
        return mean_of(loss if self.gamma == 1 else _root(loss, self.gamma), found.counts)


def _root(loss: Tensor, gamma: float) -> Tensor:
    """Loss^(1/γ). The slope of a root is infinite at 0; there is nothing to learn there, so it is 0."""
    above = loss > 0
    return loss.where(above, 1.0).pow(1 / gamma).where(above, 0.0)
