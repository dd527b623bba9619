"""The quick test: can the network learn one batch by heart? If not, no longer training will help.

What stands between a network and a batch is taken away: augmentation, weight decay, dropout, schedule and running mean.
What is left are images, labels, loss, network and rate; one of them is at fault where the batch is not learnt.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from maskwright.data.augment import OFF
from maskwright.data.dataset import Crops
from maskwright.data.preprocess import Preprocess
from maskwright.data.sample import Samples
from maskwright.errors import DataError
from maskwright.metrics import class_metrics, confusion_matrix, mean_iou, pixel_accuracy
from maskwright.plan import Plan
from maskwright.records import IGNORED, Record
from maskwright.settings import Budget
from maskwright.training import optimisers
from maskwright.training.health.monitor import demand_classes
from maskwright.training.health.seen import Setup
from maskwright.training.job import Job
from maskwright.training.machine import threads
from maskwright.training.step import Step
from maskwright.training.validation import decided

STEPS: Final = 200
"""After so many it is over; most sets need 30 to 120."""
WARM: Final = 10
"""Steps in which the rate rises: nothing has been seen yet by which the optimiser knows how far to go."""
LEARNT: Final = 0.9
"""Mean IoU from which a batch is learnt: what is then wrong lies along borders, a pixel wide …"""
LEARNT_ACCURACY: Final = 0.98
"""… and so it is at this accuracy where objects are nothing but borders, if no class is left out."""
FALLING: Final = 0.02
"""Share by which the loss fell in the second half of the steps: it was still on its way."""


class OneBatch(Record):
    """Whether a network learnt one batch, and why not."""

    learnt: bool
    verdict: str
    """A sentence."""
    remedy: str | None = None
    """What to do if it did not."""
    steps: int
    losses: tuple[float, ...]
    accuracy: float
    mean_iou: float
    iou: dict[str, float | None]
    """Of each class in the batch; None: it shows none of it."""
    images: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Shown:
    """The batch and what was made of it: images B C H W in stored values, labels and predictions B H W."""

    images: NDArray[Any]
    labels: NDArray[np.uint8]
    predicted: NDArray[np.uint8]


def bare(plan: Plan, samples: Samples) -> tuple[Plan, Samples]:
    """The plan without what stands between a network and a batch, and the images of the first batch alone."""
    training = plan.training.model_copy(
        update={
            "stages": (),
            "ema": None,
            "budget": Budget(steps=STEPS),
            "optimizer": plan.training.optimizer.model_copy(update={"weight_decay": 0.0}),
            "schedule": plan.training.schedule.model_copy(update={"name": "constant", "low_momentum": None}),
        }
    )
    changed = plan.model_copy(
        update={
            "augment": OFF,
            "model": plan.model.model_copy(update={"dropout": 0.0}),
            "training": training,
            "sampling": plan.sampling.model_copy(update={"crops_per_image": 1}),
        }
    )
    part = samples.part("train")
    order = np.random.default_rng(plan.seed).permutation(len(part))[: plan.sampling.batch]
    chosen = tuple(part[i] for i in sorted(order.tolist()))
    return changed, samples.model_copy(update={"samples": chosen})


def one_batch(
    job: Job, *, steps: int = STEPS, progress: Callable[[int, int], None] | None = None
) -> tuple[OneBatch, Shown]:
    """Learn the first batch of a bare job again and again, until it is known or the steps are over.

    progress: told how many steps of how many are done.

    Raises:
        DataError: every pixel of the batch is ignored, or a label is no class.
    """
    learn = Step(job)
    batch = job.crops[0]
    demand_classes(job, batch)
    images, labels, _ = job.finish(batch, learn.device)
    if bool((labels == IGNORED).all()):
        raise DataError(
            f"Every pixel of the batch is ignored ({', '.join(_names(job))}): there is nothing to learn. Look at the "
            "masks: maskwright inspect DATA",
            code="all-ignored",
        )
    classes = max(2, job.network.record.classes)
    losses: list[float] = []
    said = confusion = None
    with threads(job.device.threads):
        for step in range(steps):
            optimisers.set_rate(learn.optimizer, min(1.0, (step + 1) / WARM))
            stepped = learn(batch)
            losses.append(stepped.loss if stepped.moved else math.nan)
            if progress:
                progress(step + 1, steps)
            if not stepped.moved:
                break
            said = decided(stepped.logits, dim=1)
            confusion = confusion_matrix(said, stepped.labels, classes)
            if _known(confusion):
                break
    if progress and len(losses) < steps:
        progress(steps, steps)
    return _told(job, losses, confusion), _shown(job.finish.preprocess, images, labels, said)


def _known(confusion: NDArray[Any]) -> bool:
    shown = confusion.sum(axis=1) > 0
    every = bool((confusion.diagonal()[shown] > 0).all())
    return every and (mean_iou(confusion) >= LEARNT or pixel_accuracy(confusion) >= LEARNT_ACCURACY)


def _told(job: Job, losses: list[float], confusion: NDArray[Any] | None) -> OneBatch:
    confusion = np.zeros((2, 2), np.int64) if confusion is None else confusion
    each = class_metrics["iou"](confusion)
    names = job.classes or tuple(f"class {label}" for label in range(len(each)))
    learnt = _known(confusion) and math.isfinite(losses[-1])
    verdict, remedy = _verdict(job, losses, confusion, learnt=learnt)
    return OneBatch(
        learnt=learnt,
        verdict=verdict,
        remedy=remedy,
        steps=len(losses),
        losses=tuple(losses),
        accuracy=pixel_accuracy(confusion) if confusion.sum() else 0.0,
        mean_iou=mean_iou(confusion) if confusion.sum() else 0.0,
        iou={name: None if math.isnan(value) else float(value) for name, value in zip(names, each, strict=False)},
        images=tuple(_names(job)),
    )


def _verdict(job: Job, losses: list[float], confusion: NDArray[Any], *, learnt: bool) -> tuple[str, str | None]:
    """A sentence, and what to do."""
    slower = Setup.of(job).rate_times(0.2)
    if not math.isfinite(losses[-1]):
        return f"The loss is no number after {len(losses)} steps: the learning rate is too high.", f"Lower it: {slower}"
    shown = int((confusion.sum(axis=1) > 0).sum())
    if learnt:
        text = f"The network learns the batch by heart in {len(losses)} steps."
        if shown < 2:
            return f"{text} But it shows one class only, so that says little.", "Take another one: --seed 1"
        return text, None
    first, last = losses[0], fmean(losses[-5:])
    if last > first:
        return f"The loss rose from {first:.3g} to {last:.3g}: the learning rate is too high.", f"Lower it: {slower}"
    late = losses[len(losses) // 2 :]
    fell = 1 - last / max(late[0], 1e-12)
    said = int((confusion.sum(axis=0) > 0).sum())
    if fell >= FALLING:
        text = f"The batch is not learnt in {len(losses)} steps, but the loss still falls: the rate is low for it."
        return text, f"Learn faster: {Setup.of(job).rate_times(3.0)} Or find the rate: --find-lr"
    if said < 2 <= shown:
        text = f"The network calls every pixel the same and stays there, at a loss of {last:.3g}."
        return text, f"Another rate: --find-lr, or {slower} Or another loss: loss.terms={{dice: 1.0}}"
    text = f"The loss stands still at {last:.3g}, and the batch is not learnt."
    remedy = (
        "The masks may not belong to the images, or lie askew on them: look at the picture, and maskwright inspect "
        "DATA. If they fit, details may be lost at this scale or width: preprocess.scale=1 model.stem=1 model.base=32"
    )
    return text, remedy


def _names(job: Job) -> list[str]:
    crops: Crops = job.crops
    return list(dict.fromkeys(job.names[place] for place in crops.images_of(0) if place < len(job.names)))


def _shown(
    preprocess: Preprocess, images: torch.Tensor, labels: torch.Tensor, said: torch.Tensor | None
) -> Shown:  # fmt: skip
    """In stored values again; what a valid network does not answer for is ignored in the prediction."""
    mean, std = (torch.tensor(x, device=images.device)[:, None, None] for x in (preprocess.mean, preprocess.std))
    stored = (images * std + mean).cpu().numpy()
    if np.issubdtype(np.dtype(preprocess.dtype), np.integer):
        limits = np.iinfo(np.dtype(preprocess.dtype))
        stored = np.clip(np.rint(stored), limits.min, limits.max)
    predicted = np.full(tuple(labels.shape), IGNORED, np.uint8)
    if said is not None:
        top, left = ((whole - part) // 2 for whole, part in zip(labels.shape[1:], said.shape[1:], strict=True))
        predicted[:, top : top + said.shape[1], left : left + said.shape[2]] = said.cpu().numpy()
    return Shown(stored.astype(preprocess.dtype), labels.cpu().numpy(), predicted)
