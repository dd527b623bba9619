"""What the losses that compare regions share: their options, how far prediction and truth overlap, and the mean."""

from typing import Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from maskwright.losses.registry import LossRecord
from maskwright.records import IGNORED

TINY = torch.finfo(torch.float32).tiny


class Regions(NamedTuple):
    """Probabilities and truth B K H W, float32, zero at ignored pixels; with one logit K is the foreground alone."""

    said: Tensor
    true: Tensor
    counted: Tensor
    """B 1 H W, whether a pixel is not ignored."""


class Overlap(NamedTuple):
    """Sums over groups of images, G K; the whole batch is one group, or each image is."""

    both: Tensor
    """Σ p·t"""
    said: Tensor
    """Σ p, or Σ p²"""
    true: Tensor
    """Σ t"""
    counts: Tensor
    """Whether the class enters the mean, 0 or 1."""


class RegionLoss(LossRecord):
    """A loss over sums of pixels a class. Each class has the same say, however few its pixels, so it takes no weights.

    A class that does not occur is left out of the mean: there is no overlap to win.
    """

    per: Literal["batch", "image"] = "batch"
    """batch: sums run over all images together. image: over each for itself, then the mean over the images in which
    some class occurs."""
    background: bool = True
    """Whether class 0 enters the mean. A single logit is the foreground alone, always."""
    smooth: float = Field(0.0, ge=0)
    """Added above and below the fraction."""
    absent: bool = False
    """Whether classes that do not occur enter the mean too: their loss is small only if nothing is said to be of them.
    It takes a `smooth` above 0."""

    @model_validator(mode="after")
    def _nothing_over_nothing(self) -> Self:
        if self.absent and not self.smooth:
            raise ValueError("absent classes have 0 / 0 in common: set smooth above 0, e.g. 1e-5")
        return self

    def _overlap(self, logits: Tensor, labels: Tensor, *, squared: bool = False) -> Overlap:
        regions = regions_of(logits, labels)
        # T² = T, so only the prediction is squared.
        sums = (regions.said * regions.true, regions.said.square() if squared else regions.said, regions.true)
        both, said, true = (foreground(sum_over(self.per, part), background=self.background) for part in sums)
        counts = (true > 0).float()
        if self.absent:
            counts = (sum_over(self.per, regions.counted) > 0).float().expand_as(true)
        return Overlap(both, said, true, counts)


def regions_of(logits: Tensor, labels: Tensor) -> Regions:
    """What is said and what is true, for labels as every loss takes them."""
    logits = logits.float()  # sums of 16-bit numbers overflow
    labels_B1HW = labels[:, None]
    counted = labels_B1HW != IGNORED
    if logits.shape[1] > 1:
        probabilities = logits.softmax(dim=1)
        classes = torch.arange(logits.shape[1], device=labels.device).view(-1, *[1] * (logits.ndim - 2))
        true = labels_B1HW == classes  # no class is called IGNORED
    else:
        probabilities = logits.sigmoid()
        true = labels_B1HW == 1
    return Regions(probabilities * counted, true.float(), counted)


def sum_over(per: str, values_BKHW: Tensor) -> Tensor:
    """The sums over pixels, G K."""
    pixels = tuple(range(2, values_BKHW.ndim))
    return values_BKHW.sum(dim=pixels) if per == "image" else values_BKHW.sum(dim=(0, *pixels))[None]


def foreground(sums_GK: Tensor, *, background: bool) -> Tensor:
    """All classes, or all but class 0; a single one is the foreground."""
    return sums_GK if background or sums_GK.shape[1] == 1 else sums_GK[:, 1:]


def mean_of(loss_GK: Tensor, counts_GK: Tensor) -> Tensor:
    """The mean over the classes that count in a group, then over the groups in which one does; 0 where none does."""
    classes_G = counts_GK.sum(dim=1)
    loss_G = (loss_GK * counts_GK).sum(dim=1) / classes_G.clamp(min=1)
    return loss_G.sum() / (classes_G > 0).sum().clamp(min=1)
