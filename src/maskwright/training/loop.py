"""The training loop, on one screen. Whoever needs another copies it; it is short on purpose.

Everything random in a step is a function of (seed, step), and everything else is in `last.ckpt`; so a run killed
anywhere and resumed equals the uninterrupted one, on a CPU bit for bit.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from maskwright.errors import CheckpointError, TrainingError
from maskwright.model import UNet
from maskwright.settings import Budget
from maskwright.training import checkpoint
from maskwright.training.average import Average
from maskwright.training.callbacks import Callback, History, HistoryRow, StepNews
from maskwright.training.health import Finding
from maskwright.training.health.monitor import Monitor
from maskwright.training.job import Job, Outcome
from maskwright.training.machine import batches, interruptible, threads
from maskwright.training.pace import Clock, pace_of
from maskwright.training.settling import falling_steps, settled
from maskwright.training.stages import Stages
from maskwright.training.state import Progress, State
from maskwright.training.step import Step


def fit(job: Job, callbacks: Sequence[Callback] = (), *, resume: bool = False) -> Outcome:
    """Train the job's network until its budget is used, a person or a callback stops it, or patience ends.

    Raises:
        SettingError, DataError: no training can come of these settings, or of these labels.
        TrainingError: the loss is no longer a number.
        CheckpointError: there is nothing to resume.
    """
    learn = Step(job)
    saved = checkpoint.load(job.folder / checkpoint.NAME, learn.device) if resume else None
    state = _state(job, learn, saved or {})
    if saved:
        state.restore(saved)
    progress, clock = state.progress, state.clock
    stages = Stages(job.settings, learn.network, learn.optimizer)
    validation, patience = job.settings.validation, job.settings.validation.patience
    _tell(callbacks, "started", _about(job, progress))
    state.health.start()
    _warn(callbacks, state)

    saved_at = clock.elapsed
    reason = "the budget was used" if progress.pace.done else ""
    with interruptible() as interrupted, threads(job.device.threads):
        read = state.health.watched(batches(job.crops, progress.pace.step, job.workers, job.device))
        for batch in () if reason else read:
            rate = stages.steer(progress)
            stepped = learn(batch)
            if not stepped.moved:
                reason = _lost(state.health.lost(learn, batch, stepped, rate), progress, callbacks)
                break
            progress.count(stepped.loss, stepped.logits, stepped.labels)
            progress.pace.step += 1
            state.health.stepped(stepped, rate, progress.pace.step, progress.pace.progress)
            state.average.update(learn.network, progress.pace.step)
            clock.tick()

            asked = any(_tell(callbacks, "stepped", _news(job, progress, clock, stepped.loss, rate)))
            late = clock.elapsed - saved_at >= job.settings.checkpoint_seconds
            stopped, asked, over, late = job.world.agree(
                anyone=interrupted.is_set(), first=(asked, clock.is_over(), late)
            )
            reason = _reason_to_end(job.settings.budget, progress, over=over, asked=asked, interrupted=stopped)
            if progress.due(validation) or (reason and reason != "interrupted"):
                _tell(callbacks, "validated", _validated(job, state, rate, callbacks, last=bool(reason)))
                if progress.pace.held_at is not None and settled(progress.scores):
                    _tell(callbacks, "noted", _closed(progress))
                if patience and progress.without_gain >= patience:
                    reason = reason or f"no better {job.settings.validation.keep} in {patience} validations"
            _warn(callbacks, state)
            if reason or late:
                _keep(partial(state.save, job.folder), callbacks)
                saved_at = clock.elapsed
                clock.rest()
            if reason:
                break
            if progress.pace.step % 10 == 1 and clock.correct(progress.pace, validation.times - progress.validations):
                clock.rest()
            if progress.pace.step % 10 == 1 and clock.seconds is not None:
                progress.pace = job.world.same(progress.pace)
    _tell(callbacks, "ended", reason)
    best = progress.best is not None
    return Outcome(
        weights=progress.best if progress.best is not None else state.average.weights(),
        score=progress.best_score if best else None,
        reason=reason,
        finished=reason != "interrupted",
        steps=progress.pace.step,
        seconds=clock.elapsed,
        history=state.history.rows,
    )


def _state(job: Job, learn: Step, saved: dict[str, Any]) -> State:
    """Everything at its beginning, but the lines that a checkpoint knows of."""
    minutes = job.settings.budget.minutes
    return State(
        network=learn.network,
        average=Average(learn.twin, job.settings.ema),
        optimizer=learn.optimizer,
        progress=Progress(pace_of(job.settings, job.crops.steps_per_epoch)),
        clock=Clock(minutes and minutes * 60, used_before=job.seconds_used),
        history=History(job.folder / "history.jsonl", saved.get("rows", 0), writes=job.world.first),
        health=Monitor(job, saved.get("health", {}).get("rows", 0)),
        writes=job.world.first,
    )


def _reason_to_end(budget: Budget, progress: Progress, *, over: bool, asked: bool, interrupted: bool) -> str:
    if interrupted:
        return "interrupted"
    if progress.pace.done:
        return "the score has settled" if budget.settled else "the budget was used"
    if over:
        return "the budget was used"
    return "a callback asked for it" if asked else ""


def _closed(progress: Progress) -> str:
    """The end is near: from now on the rate falls. Says so."""
    reached, step = max(progress.scores), progress.pace.step
    progress.pace.resize(falling_steps(step))
    return (
        f"The validation score has settled (mean IoU {reached:.4f}, step {step}): {falling_steps(step)} more steps, "
        "at a falling rate."
    )


def _lost(found: Finding, progress: Progress, callbacks: Sequence[Callback]) -> str:
    """The reason to end, if there is a best model to end with; no checkpoint is written of what went wrong."""
    if progress.best is None:
        raise TrainingError(f"Training cannot go on: {found}")
    _tell(callbacks, "warned", f"Training ends early; the best model so far is kept. {found}")
    return found.title


def _warn(callbacks: Sequence[Callback], state: State) -> None:
    for text in state.health.news():
        _tell(callbacks, "warned", text)


def _validated(job: Job, state: State, rate: float, callbacks: Sequence[Callback], *, last: bool) -> HistoryRow:
    """Score the averaged weights, keep them if they are the best, and write the row down."""
    progress, clock = state.progress, state.clock
    before = clock.elapsed
    progress.validated_at = progress.pace.step
    progress.validations = max(progress.validations + 1, int(progress.pace.progress * job.settings.validation.times))
    found: dict[str, Any] = {}
    confusion = None
    if job.validation is not None:
        score = job.validation(cast("UNet", state.average.network), next(state.average.network.parameters()).device)
        found = {"val_loss": score.loss, "val_accuracy": score.accuracy, "val_score": score.mean_iou}
        confusion = score.confusion
        found["best"] = progress.judge(score, state.average, job.settings)
    row = HistoryRow(
        step=progress.pace.step,
        epoch=progress.pace.step / job.crops.steps_per_epoch,
        seconds=clock.elapsed,
        rate=rate,
        **progress.means(),
        **found,
    )
    _keep(partial(state.history.add, row), callbacks)
    _keep(partial(state.health.validated, row, confusion, last=last), callbacks)
    clock.validation_seconds = clock.elapsed - before
    clock.rest()
    return row


def _keep(write: Callable[[], None], callbacks: Sequence[Callback]) -> None:
    """Write something down. A full disk costs what was to be written, not the training."""
    try:
        write()
    except CheckpointError as error:
        _tell(callbacks, "warned", str(error))
    except OSError as error:
        _tell(callbacks, "warned", f"The history could not be written ({error}). Free some space; training goes on.")


def _about(job: Job, progress: Progress) -> dict[str, Any]:
    return {
        "steps": None if progress.pace.held_at is not None else progress.pace.total,
        "steps_per_epoch": job.crops.steps_per_epoch,
        "parameters": sum(p.numel() for p in job.network.parameters()),
        "device": job.device.name,
        "budget": str(job.settings.budget),
    }


def _news(job: Job, progress: Progress, clock: Clock, loss: float, rate: float) -> StepNews:
    each = clock.step_seconds
    total = None if progress.pace.held_at is not None else progress.pace.total
    left = (total - progress.pace.step) * each if each and total is not None else None
    if left is not None and clock.seconds is not None:
        left = max(0.0, clock.seconds - clock.elapsed)
    return StepNews(
        step=progress.pace.step,
        total=total,
        epoch=progress.pace.step / job.crops.steps_per_epoch,
        loss=loss,
        images_per_second=job.crops.sampling.batch / each if each else 0.0,
        rate=rate,
        seconds_left=left,
        score=progress.score,
    )


def _tell(callbacks: Sequence[Callback], what: str, news: Any) -> list[Any]:
    return [getattr(callback, what)(news) for callback in callbacks]
