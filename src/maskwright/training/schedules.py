"""Learning-rate schedules: the share of the top rate at each point of the training, 0 … 1."""

import math
from dataclasses import dataclass

from maskwright.settings import ScheduleSettings


def rate(settings: ScheduleSettings, progress: float) -> float:
    """The share of the top rate when `progress`, 0 … 1, of the training, or of its stage, is done.

    One-cycle is Smith and Topin 2017, arXiv 1708.07120, with cosines; the polynomial is Chen et al. 2016,
    arXiv 1606.00915. For a plateau it is 1: what falls there depends on the validations (`Plateau`).
    """
    if settings.name in {"constant", "plateau"}:
        return 1.0
    if progress < settings.warmup:
        risen = progress / settings.warmup
        if settings.name == "onecycle":
            return _between(settings.first, 1.0, risen)
        return settings.first + (1.0 - settings.first) * risen
    fallen = (progress - settings.warmup) / (1 - settings.warmup)
    if settings.name == "polynomial":
        return settings.last + (1.0 - settings.last) * (1.0 - min(1.0, fallen)) ** settings.power
    return _between(1.0, settings.last, fallen)


def momentum(settings: ScheduleSettings, progress: float, top: float) -> float:
    """The momentum at that point: where one-cycle cycles it, from `top` down while the rate rises, and back."""
    low = settings.low_momentum
    if low is None:
        return top
    if progress < settings.warmup:
        return _between(top, low, progress / settings.warmup)
    return _between(low, top, (progress - settings.warmup) / (1 - settings.warmup))


@dataclass
class Plateau:
    """How far the rate has fallen because the validation loss stood still. Plain values: a checkpoint holds them."""

    best: float = math.inf
    waits: int = 0
    share: float = 1.0
    """Of the top rate."""

    def saw(self, loss: float, settings: ScheduleSettings) -> None:
        """Take in a validation's loss. After `patience` in a row that were no better, the rate falls by `factor`."""
        if loss < self.best:
            self.best, self.waits = loss, 0
            return
        self.waits += 1
        if self.waits >= settings.patience:
            self.share *= settings.factor
            self.waits = 0


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from start to end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
