"""Learning-rate schedules: the share of the top rate at each point of the training, 0 … 1."""

import math

from maskwright.settings import ScheduleSettings


def rate(settings: ScheduleSettings, progress: float) -> float:
    """The share of the top rate when `progress`, 0 … 1, of the training is done."""
    if settings.name == "constant":
        return 1.0
    if settings.name == "cosine":
        return _between(1.0, settings.last, progress)
    if progress < settings.warmup:
        return _between(settings.first, 1.0, progress / settings.warmup)
    return _between(1.0, settings.last, (progress - settings.warmup) / (1 - settings.warmup))


def _between(start: float, end: float, share: float) -> float:
    """Half a cosine from start to end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, share))) / 2
