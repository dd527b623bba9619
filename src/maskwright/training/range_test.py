"""The learning-rate range test: some steps at rates that rise from nothing to far too much. Smith 2015, 1506.01186."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from maskwright.records import Record
from maskwright.training import optimisers
from maskwright.training.job import Job
from maskwright.training.machine import batches, threads
from maskwright.training.step import Step

LOWEST, HIGHEST = 1e-7, 10.0
STEPS, FEWEST = 100, 40
EPOCHS = 10
"""A set so small that so many epochs are fewer steps than `STEPS` gets fewer: it would be learnt by heart."""
SMOOTHED = 0.5
"""How far the smoothed loss looks back, in decades of the rate."""
DIVERGED = 4.0
"""Times its lowest: a smoothed loss above that has diverged."""


class RangeTest(Record):
    """What a range test saw: a loss a rate, and the rate that these suggest."""

    rates: tuple[float, ...]
    """Of the decoder's kernels; all others rise in the proportion that the settings give them."""
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    """Exponential means of the losses, corrected for their youth."""
    suggestion: float | None = None
    """A tenth of the rate of the lowest point; None: the loss fell nowhere.

    At its lowest point the smoothed loss is about to rise: learning and damage are in balance there, and a whole
    training at that rate would fail. A tenth is the field's usual distance, and hardly hangs on the noise of the
    batches. But where the loss never diverged, as norms behind all kernels or a loss with an upper bound can have it,
    the lowest point may lie at some absurd rate: then it is the rate of the steepest fall, if that is lower.
    """
    steepest: float | None = None
    """Where the smoothed loss falls fastest by decades of the rate, in the last two decades before its lowest point:
    what falls earlier is the luck of a batch."""
    lowest: float | None = None
    """The rate of the lowest smoothed loss."""
    diverged_at: float | None = None
    """The rate at which the loss was no number or far above its lowest; None: at none."""
    settings: dict[str, float] = {}
    """The suggestion as settings of a plan: `optimizer.lr`, and for muon `optimizer.side_lr` in its old proportion."""


def range_test(
    job: Job, *, steps: int | None = None, progress: Callable[[int, int], None] | None = None
) -> RangeTest:  # fmt: skip
    """A range test of the job's network, optimiser, loss and data. The job itself is left as it was.

    All parts of a copy of the network learn, as in a training without stages. steps: at least 2; as the
    size of the data asks if not given. progress: told how many steps of how many are done.
    """
    steps = steps or min(STEPS, max(FEWEST, EPOCHS * job.crops.steps_per_epoch))
    rates = [LOWEST * (HIGHEST / LOWEST) ** (i / (steps - 1)) for i in range(steps)]
    losses: list[float] = []
    settings = job.settings.optimizer
    whole = job.settings.model_copy(update={"stages": ()})
    learn = Step(replace(job, network=copy.deepcopy(job.network), settings=whole))
    with threads(job.device.threads):
        for rate, batch in zip(rates, batches(job.crops, 0, job.workers, job.device), strict=False):
            optimisers.set_rate(learn.optimizer, rate / settings.lr)
            stepped = learn(batch)
            losses.append(stepped.loss if stepped.moved else math.nan)
            if progress:
                progress(len(losses), steps)
            if _diverged(smooth(losses, steps)):
                break
    if progress and len(losses) < steps:
        progress(steps, steps)
    found = read(rates, losses, steps)
    if found.suggestion is None:
        return found
    ready = {"optimizer.lr": found.suggestion}
    if settings.name == "muon":
        ready["optimizer.side_lr"] = settings.side_lr * found.suggestion / settings.lr
    return found.model_copy(update={"settings": {key: float(f"{value:.3g}") for key, value in ready.items()}})


def read(rates: Sequence[float], losses: Sequence[float], steps: int) -> RangeTest:
    """What these losses say, the last of which may be no number; so many steps lie between lowest and highest rate."""
    smoothed = smooth(losses, steps)
    diverged_at = rates[len(losses) - 1] if _diverged(smoothed) else None
    if not math.isfinite(losses[-1]):
        losses, smoothed = losses[:-1], smoothed[:-1]
    found = RangeTest(
        rates=tuple(rates[: len(losses)]), losses=tuple(losses), smoothed=tuple(smoothed), diverged_at=diverged_at
    )
    lowest = int(np.argmin(smoothed)) if smoothed else 0
    # So low are the first rates that nothing can be learnt; a lowest loss there is the luck of a batch.
    if lowest < max(1, 0.1 * steps):
        return found
    falls = np.gradient(np.array(smoothed[: lowest + 1]))
    falls[np.array(rates[: lowest + 1]) < rates[lowest] / 100] = np.inf
    steepest = rates[int(np.argmin(falls))]
    suggestion = rates[lowest] / 10 if diverged_at is not None else min(steepest, rates[lowest] / 10)
    return found.model_copy(update={"suggestion": suggestion, "steepest": steepest, "lowest": rates[lowest]})


def smooth(losses: Sequence[float], steps: int) -> list[float]:
    """The exponential means of the losses; each is divided by the weight that is in it, so the first is itself."""
    back = SMOOTHED * (steps - 1) / math.log10(HIGHEST / LOWEST)
    decay = back / (1 + back)
    means, mean = [], 0.0
    for i, loss in enumerate(losses, start=1):
        mean = decay * mean + (1 - decay) * loss
        means.append(mean / (1 - decay**i))
    return means


def _diverged(smoothed: Sequence[float]) -> bool:
    return not math.isfinite(smoothed[-1]) or smoothed[-1] > DIVERGED * min(smoothed)
