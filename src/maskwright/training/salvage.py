"""When a training breaks off by an error: what is whole is saved, the best model so far is handed on to be written."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from maskwright.errors import MaskwrightError, TrainingError
from maskwright.training.job import Job, Outcome
from maskwright.training.state import State

Rescue = Callable[[Outcome], str]
"""Is given the best model so far of a training that broke off; says what became of it."""

_MEMORY = (MemoryError, torch.OutOfMemoryError)


@contextmanager
def salvaging(job: Job, state: State, save: Callable[[], None], rescue: Rescue | None) -> Iterator[None]:
    """A block of training. An error in it goes on, but not before the best model so far has been handed to `rescue`.

    save: writes the checkpoint; called if the error left no step half done.

    Raises:
        TrainingError: in place of an error by which memory was missing or a loader's worker died.
    """
    try:
        yield
    except Exception as error:  # whatever ends a training must not cost the best model; it is raised again
        if isinstance(error, _MEMORY):
            # The error holds what was being computed when memory ran out: what follows needs that memory.
            traceback.clear_frames(error.__traceback__)
        told = _told(error, job, state)
        if state.whole and job.world.size == 1:  # several save together, and the others know nothing of the error
            save()
        if (outcome := _best(job, state, error)) is not None and rescue is not None:
            try:
                told.add_note(rescue(outcome))
            except Exception as second:  # whatever broke the training may break this; the first counts
                told.add_note(f"The best model so far could not be written: {second}")
        if told is error:
            raise
        raise told from error


def _told(error: Exception, job: Job, state: State) -> Exception:
    """The error as it is told: ours, where we know more than it says."""
    at = f"after {state.progress.pace.step} steps"
    if isinstance(error, _MEMORY):
        return TrainingError(
            f"Memory ran out on {job.device.name} {at} ({error}). Train anew with a smaller sampling.batch (now "
            f"{job.crops.sampling.batch}) or sampling.crop; or free memory and go on with --resume."
        )
    # Killed while it hands over a batch, a worker leaves a connection that is cut off.
    cut_off = job.workers > 0 and isinstance(error, ConnectionError | EOFError)
    if cut_off or (isinstance(error, RuntimeError) and "DataLoader worker" in str(error)):
        return TrainingError(
            f"A process that reads crops died {at} ({str(error).strip()}). Mostly the system kills one when memory "
            f"runs out: go on with --resume and fewer of them (--workers, now {job.workers}; 0 reads in the training's "
            "own process). The result is the same with any number."
        )
    return error


def _best(job: Job, state: State, error: Exception) -> Outcome | None:
    """The best so far; where nothing is validated on, the latest that is finite; None if there is none."""
    progress = state.progress
    weights = progress.best
    if weights is None and job.validation is None and progress.pace.step:
        latest = state.average.weights()
        weights = latest if all(bool(torch.isfinite(tensor).all()) for tensor in latest.values()) else None
    if weights is None:
        return None
    cause = str(error).splitlines()[0] if isinstance(error, MaskwrightError) and str(error) else type(error).__name__
    return Outcome(
        weights=weights,
        score=None if progress.best is None else progress.best_score,
        reason=f"it broke off: {cause}",
        finished=False,
        steps=progress.pace.step,
        seconds=state.clock.elapsed,
        history=state.history.rows,
        saved=state.saved == progress.pace.step,
    )
