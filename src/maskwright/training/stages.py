"""Stages: which part of the training a step belongs to, and what that means for rates, momentum and the encoder."""

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple, cast

from torch import nn
from torch.optim import Optimizer

from maskwright.settings import Stage, TrainingSettings
from maskwright.training import optimisers, schedules
from maskwright.training.state import Progress

WHOLE = Stage(epochs=1)
"""What a training without stages is."""


class Place(NamedTuple):
    """Where in the stages a training is."""

    stage: int
    progress: float
    """Share of the stage that is done, 0 … 1."""


class Stages:
    """Steers optimiser and encoder, step by step, as the stages and the schedule want it.

    A stage that begins keeps the optimiser's state: momentum of what goes on learning still points the right way, and
    what was frozen has none yet, or its own from before. A frozen encoder is in evaluation mode: its norms use their
    statistics and leave them as they are, its dropout is off, its parameters have no gradients, so that neither
    momentum nor decay moves them; and the running mean of what stands still is what it was.
    """

    def __init__(self, settings: TrainingSettings, network: nn.Module, optimizer: Optimizer):
        self.settings, self.optimizer = settings, optimizer
        self.stages = settings.stages or (WHOLE,)
        self.freezes = any(stage.freeze for stage in self.stages)
        self.encoder = [cast("nn.Module", network.encoder)] if self.freezes else []
        # What an encoder keeps fixed for reasons of its own is not ours to set free.
        self.learning = [p for part in self.encoder for p in part.parameters() if p.requires_grad]
        self._entered: int | None = None

    def steer(self, progress: Progress) -> float:
        """Set everything for the step to come; returns the rate of the decoder's kernels."""
        stage, share = place(self.stages, progress.pace.progress)
        if stage != self._entered:  # at the first step too, and at the first after a restart
            self._enter(self.stages[stage])
            self._entered = stage
        if stage != progress.stage:
            progress.begin(stage)
        schedule = self.settings.schedule
        if schedule.low_momentum is not None:
            top = self.settings.optimizer.momentum
            optimisers.set_momentum(self.optimizer, schedules.momentum(schedule, share, top))
        return optimisers.set_rate(self.optimizer, schedules.rate(schedule, share) * progress.plateau.share)

    def _enter(self, stage: Stage) -> None:
        settings = self.settings.optimizer
        optimisers.set_tops(self.optimizer, settings, stage.lr or settings.lr, stage.front or settings.front)
        for part in self.encoder:
            part.train(not stage.freeze)
        for parameter in self.learning:
            parameter.requires_grad_(not stage.freeze)
            parameter.grad = None


def place(stages: tuple[Stage, ...], progress: float) -> Place:
    """The stage that comes when `progress`, 0 … 1, of the whole training is done, and how much of it is done."""
    lengths = list(accumulate(stage.epochs for stage in stages))
    ends = [length / lengths[-1] for length in lengths]
    stage = min(bisect_right(ends, progress + 1e-9), len(stages) - 1)  # 3 of 10 steps are 0.3, or a bit less
    start = ends[stage - 1] if stage else 0.0
    return Place(stage, max(0.0, progress - start) / (ends[stage] - start))


def by_level(settings: TrainingSettings) -> bool:
    """Whether any stage treats the levels of the encoder differently, so that each needs groups of its own."""
    return any(stage.freeze or stage.front is not None for stage in settings.stages)
