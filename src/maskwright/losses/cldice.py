"""Centre-line Dice for tubes: vessels, roads, membranes. Shit et al. 2021, arXiv 2003.07311."""

from functools import reduce
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from maskwright.losses.regions import foreground, mean_of, regions_of, sum_over
from maskwright.losses.registry import LossRecord, losses


@losses.register("cldice")
class ClDice(LossRecord):
    """One minus the mean over classes of the harmonic mean of two shares: how much of the predicted centre line lies in
    the true region, and how much of the true one in the predicted region. A gap in a tube costs what its length costs.

    Centre lines are soft: what repeated openings take away. They say nothing of a tube's width, so this loss wants
    another one beside it, as Dice in the paper. Ignored pixels are read as if nothing were there, in prediction and
    truth alike, so a tube's centre line ends at them. Class weights and weights a pixel change nothing.
    """

    alone: ClassVar[bool] = False

    per: Literal["batch", "image"] = "batch"
    """Whether sums run over all images together, or over each for itself."""
    background: bool = False
    """Whether class 0 has a centre line. A single logit is the foreground alone, always."""
    iterations: int = Field(10, ge=1)
    """Erosions: at least half the width of the widest tube, in pixels."""
    smooth: float = Field(1.0, gt=0)
    """Added above and below both shares, as in the authors' code."""

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The loss, 0 … 1; 0 where no class occurs."""
        del weights
        regions = regions_of(logits, labels)
        said, true = (foreground(part, background=self.background) for part in (regions.said, regions.true))
        said_line, true_line = centre_line(said, self.iterations), centre_line(true, self.iterations)
        precision = self._share(said_line, true)
        recall = self._share(true_line, said)
        occurs = (sum_over(self.per, true) > 0).float()
        return mean_of(1 - 2 * precision * recall / (precision + recall), occurs)

    def _share(self, line: Tensor, region: Tensor) -> Tensor:
        """How much of the line lies in the region, G K."""
        return (sum_over(self.per, line * region) + self.smooth) / (sum_over(self.per, line) + self.smooth)


def centre_line(values: Tensor, iterations: int) -> Tensor:
    """The soft skeleton of B K H W or B K D H W values 0 … 1.

    Each erosion peels a layer; what an opening then takes away was one pixel thin, that is centre line. Of it all, a
    pixel gets what it has not got before.
    """
    line = _thin(values)
    for _ in range(iterations):
        values = _eroded(values)
        new = _thin(values)
        line = line + (new - line * new).relu()
    return line


def _thin(values: Tensor) -> Tensor:
    pool = F.max_pool3d if values.ndim == 5 else F.max_pool2d
    return (values - pool(_eroded(values), 3, stride=1, padding=1)).relu()


def _eroded(values: Tensor) -> Tensor:
    """The least of a pixel and its neighbours along the axes; beyond the edge nothing is less."""
    pool, axes = (F.max_pool3d, 3) if values.ndim == 5 else (F.max_pool2d, 2)
    lines = []
    for axis in range(axes):
        kernel, padding = [1] * axes, [0] * axes
        kernel[axis], padding[axis] = 3, 1
        lines.append(-pool(-values, tuple(kernel), stride=1, padding=tuple(padding)))
    return reduce(torch.minimum, lines)
