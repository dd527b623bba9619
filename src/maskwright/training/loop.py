"""The training loop, on one screen. Whoever needs another copies it; it is short on purpose.

Everything random in a step is a function of (seed, step), and everything else is in `last.ckpt`; so a run killed
anywhere and resumed equals the uninterrupted one, on a CPU bit for bit.
"""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from functools import partial
from typing import Any, cast

from maskwright.errors import CheckpointError, TrainingError
from maskwright.model import UNet
from maskwright.settings import Budget
from maskwright.training import checkpoint
from maskwright.training.average import Average
from maskwright.training.callbacks import Callback, History, HistoryRow, StepNews
from maskwright.training.health.monitor import Monitor
from maskwright.training.health.registry import Finding
from maskwright.training.job import Job, Outcome
from maskwright.training.machine import batches, threads
from maskwright.training.pace import Clock, pace_of
from maskwright.training.salvage import Rescue, salvaging
from maskwright.training.settling import falling_steps, settled
from maskwright.training.signals import INTERRUPTED, TERMINATED, AbandonedError, Signals, interruptible
from maskwright.training.stages import Stages
from maskwright.training.state import Progress, State
from maskwright.training.step import Step


def fit(job: Job, callbacks: Sequence[Callback] = (), *, resume: bool = False, rescue: Rescue | None = None) -> Outcome:
    """Train the job's network until its budget is used, a person or a callback stops it, or patience ends.

    rescue: given the best model so far when an error ends the training, before the error goes on.

    Raises:
        SettingError, DataError: no training can come of these settings, or of these labels.
        TrainingError: the loss is no longer a number.
        CheckpointError: there is nothing to resume.
    """
    learn = Step(job)
    saved, remark = checkpoint.latest(job.folder, learn.device) if resume else (None, "")
    state = _state(job, learn, saved or {})
    if saved:
        state.restore(saved)
    progress, clock = state.progress, state.clock
    stages = Stages(job.settings, learn.network, learn.optimizer)
    save = partial(_keep, partial(state.save, job.folder), callbacks)
    _tell(callbacks, "started", _about(job, progress))
    if remark:
        _tell(callbacks, "warned", remark)
    state.health.start()
    _warn(callbacks, state)

    saved_at = clock.elapsed
    read = batches(job.crops, progress.pace.step, job.workers, job.device)
    with salvaging(job, state, save, rescue), interruptible() as signals, threads(job.device.threads), closing(read):
        _validate(job, state, callbacks, signals)  # what a run that was stopped may still owe
        reason = _reason(progress, signals)
        for batch in () if reason else state.health.watched(read):
            state.whole = False
            progress.rate = stages.steer(progress)
            stepped = learn(batch)
            if not stepped.moved:
                reason = _lost(state.health.lost(learn, batch, stepped, progress.rate), progress, callbacks)
                break
            progress.count(stepped.loss, stepped.logits, stepped.labels)
            progress.pace.step += 1
            state.health.stepped(stepped, progress.rate, progress.pace.step, progress.pace.progress)
            state.average.update(learn.network, progress.pace.step)
            state.whole = True
            clock.tick()

            asked = any(_tell(callbacks, "stepped", _news(job, progress, clock, stepped.loss)))
            late = clock.elapsed - saved_at >= job.settings.checkpoint_seconds
            asked, over, late = _agreed(job, signals, asked, clock.is_over(), late)
            progress.ended = _ended(job.settings.budget, progress, over=over, asked=asked)
            _validate(job, state, callbacks, signals)
            _warn(callbacks, state)
            reason = _reason(progress, signals)
            if reason or late:
                save()
                saved_at = clock.elapsed
                clock.rest()
            if reason:
                break
            if progress.pace.step % 10 == 1 and clock.seconds is not None:
                if clock.correct(progress.pace, job.settings.validation.times - progress.validations):
                    clock.rest()
                progress.pace = job.world.same(progress.pace)
    _tell(callbacks, "ended", reason)
    best = progress.best is not None
    return Outcome(
        weights=progress.best if progress.best is not None else state.average.weights(),
        score=progress.best_score if best else None,
        reason=reason,
        finished=reason not in {INTERRUPTED, TERMINATED},
        steps=progress.pace.step,
        seconds=clock.elapsed,
        history=state.history.rows,
        saved=state.saved == progress.pace.step,
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


def _agreed(job: Job, signals: Signals, *first: bool) -> tuple[bool, ...]:
    """What the first of all processes says, and signals that reached any of them: all must end at the same step."""
    stopped, *said = job.world.agree(anyone=bool(signals.stop), first=first)
    if stopped and job.world.size > 1:
        (terminated,) = job.world.agree(anyone=signals.terminated, first=())
        signals.stop = TERMINATED if terminated else INTERRUPTED
    return tuple(said)


def _reason(progress: Progress, signals: Signals) -> str:
    """Why there is no further step now; a process that must be gone does not even write its model."""
    return TERMINATED if signals.terminated else progress.ended or signals.stop


def _ended(budget: Budget, progress: Progress, *, over: bool, asked: bool) -> str:
    """Why there is no further step, ever."""
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


def _validate(job: Job, state: State, callbacks: Sequence[Callback], signals: Signals) -> None:
    """Validate, if it is time or training has ended. What SIGTERM cuts short is owed to whoever resumes."""
    progress, settings = state.progress, job.settings.validation
    owed = progress.due(settings) or (progress.ended and progress.pace.step > progress.validated_at)
    if not owed or signals.terminated:
        return
    try:
        row = _validated(job, state, callbacks, signals)
    except AbandonedError:
        return
    if progress.pace.held_at is not None and settled(progress.scores):
        _tell(callbacks, "noted", _closed(progress))
    if settings.patience and progress.without_gain >= settings.patience:
        progress.ended = progress.ended or f"no better {settings.keep} in {settings.patience} validations"
    _tell(callbacks, "validated", row)


def _validated(job: Job, state: State, callbacks: Sequence[Callback], signals: Signals) -> HistoryRow:
    """Score the averaged weights, keep them if they are the best, and write the row down."""
    progress, clock = state.progress, state.clock
    before = clock.elapsed
    score = None
    if job.validation is not None:
        network = cast("UNet", state.average.network)
        # Of several processes none may abandon what the others wait for.
        with signals.abandoning() if job.world.size == 1 else nullcontext():
            score = job.validation(network, next(network.parameters()).device)
    progress.validated_at = progress.pace.step
    progress.validations = max(progress.validations + 1, int(progress.pace.progress * job.settings.validation.times))
    found: dict[str, Any] = {}
    if score is not None:
        found = {"val_loss": score.loss, "val_accuracy": score.accuracy, "val_score": score.mean_iou}
        found["best"] = progress.judge(score, state.average, job.settings)
    row = HistoryRow(
        step=progress.pace.step,
        epoch=progress.pace.step / job.crops.steps_per_epoch,
        seconds=clock.elapsed,
        rate=progress.rate,
        **progress.means(),
        **found,
    )
    _keep(partial(state.history.add, row), callbacks)
    seen = partial(state.health.validated, row, None if score is None else score.confusion, last=bool(progress.ended))
    _keep(seen, callbacks)
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


def _news(job: Job, progress: Progress, clock: Clock, loss: float) -> StepNews:
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
        rate=progress.rate,
        seconds_left=left,
        score=progress.score,
    )


def _tell(callbacks: Sequence[Callback], what: str, news: Any) -> list[Any]:
    return [getattr(callback, what)(news) for callback in callbacks]
