"""The pace: how much of the training is done, and, when minutes are the budget, how many steps still fit."""

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from maskwright.settings import TrainingSettings

WARM_STEPS = 3
"""The first steps allocate memory and choose algorithms: they tell nothing of the rest."""
MEASURED_STEPS = 8
OPEN_STEPS = 1000
"""Length of the training whose warm-up one without an end has."""


@dataclass
class Pace:
    """Steps done and to do. With a budget of epochs or steps nothing here looks at a clock.

    `progress` is exact in the steps: after a resize it goes on from where it was and still ends at 1.
    """

    total: int
    step: int = 0
    base_step: int = 0
    base_progress: float = 0.0
    held_at: float | None = None
    """While the end is open: the progress that is reached after `total` steps, and then stays until `resize`."""

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0 … 1."""
        share = (self.step - self.base_step) / max(1, self.total - self.base_step)
        if self.held_at is not None:
            return self.held_at * min(1.0, share)
        return min(1.0, self.base_progress + (1 - self.base_progress) * share)

    @property
    def done(self) -> bool:
        """Whether no step is left."""
        return self.held_at is None and self.step >= self.total

    def resize(self, left: int) -> None:
        """From here on, so many steps are left."""
        self.base_progress, self.base_step, self.held_at = self.progress, self.step, None
        self.total = self.step + max(0, left)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return dict(vars(self))


@dataclass
class Clock:
    """Seconds used so far, those before a restart included, and the number of steps that still fit.

    reserve: seconds to keep for what comes after the last step; learnt from the validations seen.
    """

    seconds: float | None
    used_before: float = 0.0
    now: Callable[[], float] = time.monotonic
    started: float = field(default=0.0)
    validation_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.started = self.started or self.now()
        self._recent: deque[float] = deque(maxlen=40)
        self._seen = 0
        self._last = self.now()

    @property
    def elapsed(self) -> float:
        """Seconds used."""
        return self.used_before + self.now() - self.started

    def rest(self) -> None:
        """What passed since the last step was no step."""
        self._last = self.now()

    def tick(self) -> None:
        """A step is done."""
        now = self.now()
        self._seen += 1
        if self._seen > WARM_STEPS:
            self._recent.append(now - self._last)
        self._last = now

    @property
    def step_seconds(self) -> float | None:
        """Seconds a step, as the last forty were; None before there is a measurement."""
        return statistics.fmean(self._recent) if len(self._recent) >= MEASURED_STEPS else None

    def is_over(self) -> bool:
        """Whether another step would not fit into the budget, less what the end needs."""
        return self.seconds is not None and self.elapsed + (self.step_seconds or 0.0) + self._reserve() > self.seconds

    def correct(self, pace: Pace, validations_left: int) -> bool:
        """Resize the pace to the time that is left, if it is off by more than two in a hundred. Says whether it did."""
        if self.seconds is None or self.step_seconds is None:
            return False
        left = self.seconds - self.elapsed - self._reserve() - self.validation_seconds * max(0, validations_left - 1)
        fitting = max(0, int(left / self.step_seconds))
        planned = pace.total - pace.step
        if abs(fitting - planned) <= max(1, 0.02 * planned):
            return False
        pace.resize(fitting)
        return True

    def _reserve(self) -> float:
        """The last validation and the model file; and half a step, as the next may take longer than most."""
        return 1.25 * self.validation_seconds + 1.5 + 0.5 * (self.step_seconds or 0.0)


def pace_of(settings: TrainingSettings, steps_per_epoch: int) -> Pace:
    """The pace at the start. For minutes the number of steps is a first guess, corrected once some have been measured.

    With an open end the rate rises as in a training of `OPEN_STEPS`, and then stays at its top.
    """
    budget, schedule = settings.budget, settings.schedule
    if budget.settled:
        return Pace(max(1, round(schedule.warmup * OPEN_STEPS)), held_at=schedule.warmup)
    if budget.steps is not None:
        return Pace(budget.steps)
    return Pace(10_000 if budget.epochs is None else max(1, round(budget.epochs * steps_per_epoch)))
