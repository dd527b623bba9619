"""Soft Jaccard loss, one minus intersection over union. Rahman and Wang 2016, 10.1007/978-3-319-50835-1_22."""

from torch import Tensor

from maskwright.losses.regions import TINY, RegionLoss, mean_of
from maskwright.losses.registry import losses


@losses.register("jaccard")
class Jaccard(RegionLoss):
    """One minus the mean over classes of Σ p·t / (Σ p + Σ t - Σ p·t): soft intersection over soft union."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss, 0 … 1; 0 where no class occurs. Weights a pixel change nothing."""
        del weights
        found = self._overlap(logits, labels)
        union = found.said + found.true - found.both
        return mean_of(1 - (found.both + self.smooth) / (union + self.smooth).clamp(min=TINY), found.counts)
