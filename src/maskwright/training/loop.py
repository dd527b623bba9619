"""The training loop, on one screen. Whoever needs another copies it; it is short on purpose.

Everything random in a step is a function of (seed, step), and everything else is in `last.ckpt`; so a run killed
anywhere and resumed equals the uninterrupted one, on a CPU bit for bit.
"""

import contextlib
import math
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from maskwright.data.dataset import Batch, Crops, Finish
from maskwright.data.randomness import number
from maskwright.devices import DeviceSettings
from maskwright.errors import CheckpointError, TrainingError
from maskwright.losses import Loss
from maskwright.metrics import confusion_matrix, pixel_accuracy
from maskwright.model import UNet
from maskwright.model.blocks import crop
from maskwright.settings import TrainingSettings
from maskwright.training import checkpoint, optimisers, schedules
from maskwright.training.average import Average
from maskwright.training.callbacks import Callback, History, HistoryRow, StepNews
from maskwright.training.pace import Clock, Pace, total_steps
from maskwright.training.validation import Validation, decided

ACCURACY_EVERY = 10
"""Steps between two looks at the accuracy on training crops."""


@dataclass
class Job:
    """All that one training needs."""

    network: UNet
    crops: Crops
    finish: Finish
    loss: Loss
    validation: Validation | None
    settings: TrainingSettings
    device: DeviceSettings
    folder: Path
    seed: int
    workers: int = 0
    seconds_used: float = 0.0
    """Of a budget in minutes, before the loop began."""


@dataclass
class Progress:
    """Where a training is; with the weights all there is to know of it."""

    pace: Pace
    best_score: float = -math.inf
    best: dict[str, Tensor] | None = None
    validations: int = 0
    without_gain: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    accuracy_sum: float = 0.0
    accuracy_count: int = 0
    score: float | None = None

    def due(self, times: int) -> bool:
        """Whether the next of so many validations has come."""
        return self.pace.progress * times >= self.validations + 1 - 1e-9


@dataclass(frozen=True)
class Outcome:
    """A trained network: weights by name, how they scored, and why training ended."""

    weights: dict[str, Tensor]
    score: float | None
    reason: str
    finished: bool
    steps: int
    seconds: float
    history: list[HistoryRow] = field(default_factory=list)


def fit(job: Job, callbacks: Sequence[Callback] = (), *, resume: bool = False) -> Outcome:
    """Train the job's network until its budget is used, a person or a callback stops it, or patience ends.

    Raises:
        TrainingError: the loss is no longer a number.
        CheckpointError: there is nothing to resume.
    """
    fabric = Fabric(
        accelerator=job.device.accelerator,
        devices=1 if job.device.accelerator in {"cpu", "mps"} else [job.device.index],
        precision=job.device.precision,
    )
    if job.device.channels_last:
        job.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network, optimizer = fabric.setup(job.network, optimisers.build(job.network, job.settings.optimizer))
    average = Average(network.module, job.settings.ema)
    minutes = job.settings.budget.minutes
    progress = Progress(Pace(total_steps(job.settings.budget, job.crops.steps_per_epoch)))
    clock = Clock(minutes and minutes * 60, used_before=job.seconds_used)
    saved = checkpoint.load(job.folder / checkpoint.NAME, fabric.device) if resume else None
    if saved:
        _restore(saved, network.module, average, optimizer, progress, clock)
    history = History(job.folder / "history.jsonl", rows=saved["rows"] if saved else 0)
    _tell(callbacks, "started", _about(job, progress))

    saved_at = clock.elapsed
    reason = ""
    with _interruptible() as interrupted, _threads(job.device.threads):
        for batch in _batches(job, progress.pace.step) if not progress.pace.done else ():
            torch.manual_seed(number(job.seed, "dropout", batch.step))
            rate = optimisers.set_rate(optimizer, schedules.rate(job.settings.schedule, progress.pace.progress))
            images, labels = job.finish(batch, fabric.device)
            logits = network(_formatted(images, job.device))
            labels = crop(labels, logits.shape[-2:])
            loss = job.loss(logits, labels)
            fabric.backward(loss)
            if job.settings.optimizer.clip:
                fabric.clip_gradients(network, optimizer, max_norm=job.settings.optimizer.clip)
            optimizer.step()
            optimizer.zero_grad()
            progress.pace.step += 1
            average.update(network.module, progress.pace.step)
            _count(progress, loss, logits, labels, batch.step)
            clock.tick()

            asked = any(_tell(callbacks, "stepped", _news(job, progress, clock, loss)))
            reason = _reason_to_end(progress, clock, asked=asked, interrupted=interrupted.is_set())
            if progress.due(job.settings.validation.times) or (reason and reason != "interrupted"):
                row = _validated(job, progress, average, history, clock, rate)
                _tell(callbacks, "validated", row)
                if (patience := job.settings.validation.patience) and progress.without_gain >= patience:
                    reason = reason or f"no better score in {patience} validations"
            if reason or clock.elapsed - saved_at >= job.settings.checkpoint_seconds:
                _save(job, network.module, average, optimizer, progress, history, clock, callbacks)
                saved_at = clock.elapsed
                clock.rest()
            if reason:
                break
            if progress.pace.step % 10 == 1 and clock.correct(
                progress.pace, job.settings.validation.times - progress.validations
            ):
                clock.rest()
    reason = reason or "the budget was used"
    _tell(callbacks, "ended", reason)
    weights = progress.best if progress.best is not None else _copied(average)
    score = progress.best_score if progress.best is not None else None
    return Outcome(weights, score, reason, reason != "interrupted", progress.pace.step, clock.elapsed, history.rows)


def _batches(job: Job, first: int) -> Iterator[Batch]:
    """The batches from a step on, without end."""
    steps = range(first, 2**62)
    pinned = job.device.accelerator == "cuda"
    if not job.workers:
        return (job.crops[step] for step in steps)
    return iter(
        DataLoader(
            job.crops, batch_size=None, sampler=steps, num_workers=job.workers, pin_memory=pinned, prefetch_factor=4
        )
    )


def _formatted(images: Tensor, device: DeviceSettings) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last) if device.channels_last else images


def _reason_to_end(progress: Progress, clock: Clock, *, asked: bool, interrupted: bool) -> str:
    if interrupted:
        return "interrupted"
    if progress.pace.done or clock.is_over():
        return "the budget was used"
    return "a callback asked for it" if asked else ""


def _count(progress: Progress, loss: Tensor, logits: Tensor, labels: Tensor, step: int) -> None:
    # On a GPU this waits for the step; the next batch is being read meanwhile.
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrainingError(
            f"The loss is {value} at step {step}. The best model so far and the last checkpoint are kept. Try a lower "
            "learning rate (optimizer.lr), or clip the gradients (optimizer.clip=1)."
        )
    progress.loss_sum += value
    progress.loss_count += 1
    if step % ACCURACY_EVERY == 0:
        classes = max(2, logits.shape[1])
        accuracy = pixel_accuracy(confusion_matrix(decided(logits.detach(), dim=1), labels, classes))
        if math.isfinite(accuracy):
            progress.accuracy_sum += accuracy
            progress.accuracy_count += 1


def _validated(
    job: Job, progress: Progress, average: Average, history: History, clock: Clock, rate: float
) -> HistoryRow:
    """Score the averaged weights, keep them if they are the best, and write the row down."""
    before = clock.elapsed
    progress.validations = max(progress.validations + 1, int(progress.pace.progress * job.settings.validation.times))
    row: dict[str, Any] = {}
    if job.validation is not None:
        score = job.validation(cast("UNet", average.network), next(average.network.parameters()).device)
        row = {"val_loss": score.loss, "val_accuracy": score.accuracy, "val_score": score.mean_iou}
        progress.score = score.mean_iou
        row["best"] = score.mean_iou > progress.best_score
        if row["best"]:
            progress.best_score, progress.best, progress.without_gain = score.mean_iou, _copied(average), 0
        else:
            progress.without_gain += 1
    made = HistoryRow(
        step=progress.pace.step,
        epoch=progress.pace.step / job.crops.steps_per_epoch,
        seconds=clock.elapsed,
        rate=rate,
        train_loss=progress.loss_sum / max(1, progress.loss_count),
        train_accuracy=progress.accuracy_sum / progress.accuracy_count if progress.accuracy_count else None,
        **row,
    )
    history.add(made)
    progress.loss_sum = progress.accuracy_sum = 0.0
    progress.loss_count = progress.accuracy_count = 0
    clock.validation_seconds = clock.elapsed - before
    clock.rest()
    return made


def _save(
    job: Job,
    network: UNet,
    average: Average,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    history: History,
    clock: Clock,
    callbacks: Sequence[Callback],
) -> None:
    """Write `last.ckpt`. A full disk costs the checkpoint, not the training."""
    state = {
        "network": network.state_dict(),
        "average": average.network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": {**vars(progress), "pace": progress.pace.state()},
        "rows": len(history.rows),
        "seconds": clock.elapsed,
    }
    try:
        checkpoint.save(job.folder / checkpoint.NAME, state)
    except CheckpointError as error:
        _tell(callbacks, "warned", str(error))


def _restore(
    saved: dict[str, Any],
    network: UNet,
    average: Average,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    clock: Clock,
) -> None:
    network.load_state_dict(saved["network"])
    average.network.load_state_dict(saved["average"])
    optimizer.load_state_dict(saved["optimizer"])
    for name, value in saved["progress"].items():
        setattr(progress, name, Pace(**value) if name == "pace" else value)
    clock.used_before = saved["seconds"]


def _copied(average: Average) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in average.network.state_dict().items()}


def _about(job: Job, progress: Progress) -> dict[str, Any]:
    return {
        "steps": progress.pace.total,
        "steps_per_epoch": job.crops.steps_per_epoch,
        "parameters": sum(p.numel() for p in job.network.parameters()),
        "device": job.device.name,
        "budget": str(job.settings.budget),
    }


def _news(job: Job, progress: Progress, clock: Clock, loss: Tensor) -> StepNews:
    each = clock.step_seconds
    left = (progress.pace.total - progress.pace.step) * each if each else None
    if left is not None and clock.seconds is not None:
        left = max(0.0, clock.seconds - clock.elapsed)
    return StepNews(
        step=progress.pace.step,
        total=progress.pace.total,
        epoch=progress.pace.step / job.crops.steps_per_epoch,
        loss=float(loss.detach()),
        images_per_second=job.crops.sampling.batch / each if each else 0.0,
        seconds_left=left,
        score=progress.score,
    )


def _tell(callbacks: Sequence[Callback], what: str, news: Any) -> list[Any]:
    return [getattr(callback, what)(news) for callback in callbacks]


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C is an ordinary one. Signals reach the main thread alone."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
