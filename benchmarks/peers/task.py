"""A task: the files to learn from, and what every peer is told of them; and the little that several peers share."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

VOID = 255


@dataclass(frozen=True)
class Pair:
    """An image as the data set has it, and its labels as an 8-bit PNG: 0, 1, … and 255 where none count."""

    image: Path
    labels: Path


@dataclass(frozen=True)
class Task:
    """What is to be learnt."""

    name: str
    train: tuple[Pair, ...]
    test: tuple[Pair, ...]
    channels: int
    classes: int
    size: tuple[int, int] | None
    """Height and width that images are resized to, before crops are taken; None: as they are."""
    crop: tuple[int, int]
    batch: int
    upright: bool
    """A scene with a top and a bottom; else every flip and turn is as likely, and what is seen bends."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the training images' values, 0 … 255."""
    weights: tuple[float, ...] | None = None
    """Of the classes in the cross-entropy, where some are rare."""
    device: str = "cpu"
    seed: int = 0

    @property
    def turn(self) -> float:
        """Degrees, either way."""
        return 10.0 if self.upright else 180.0


def read_image(path: Path, channels: int) -> np.ndarray:
    """H W C uint8."""
    image = np.asarray(Image.open(path).convert("L" if channels == 1 else "RGB"))
    return image[:, :, None] if channels == 1 else image


def read_labels(path: Path) -> np.ndarray:
    """H W uint8."""
    return np.asarray(Image.open(path))


def measured(pairs: Iterable[Pair], channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel."""
    values = np.concatenate([read_image(p.image, channels)[::4, ::4].reshape(-1, channels) for p in pairs])
    return tuple(values.mean(axis=0).tolist()), tuple(values.std(axis=0).tolist())


def root_weights(pairs: Iterable[Pair], classes: int) -> tuple[float, ...]:
    """1 / √share of each class, 1 on average over the pixels."""
    counts = sum(np.bincount(read_labels(p.labels).ravel(), minlength=256)[:classes] for p in pairs)
    share = counts / counts.sum()
    raw = 1 / np.sqrt(np.maximum(share, 1e-6))
    return tuple((raw / (raw * share).sum()).tolist())


def cross_entropy_and_dice(task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    """The usual loss: cross-entropy and 1 - soft Dice over the batch, void left out."""
    weight = None if task.weights is None else torch.tensor(task.weights, device=task.device)

    def loss(logits_BKhw: Tensor, labels_Bhw: Tensor) -> Tensor:
        labels_Bhw = labels_Bhw.long()
        counts = (labels_Bhw != VOID)[:, None]
        truth = F.one_hot(labels_Bhw.where(counts[:, 0], 0), logits_BKhw.shape[1]).movedim(-1, 1) * counts
        share = logits_BKhw.float().softmax(1) * counts
        both, sums = (truth * share).sum((0, 2, 3)), (truth + share).sum((0, 2, 3))
        dice = 1 - ((2 * both + 1) / (sums + 1))[truth.sum((0, 2, 3)) > 0].mean()
        return F.cross_entropy(logits_BKhw.float(), labels_Bhw, weight, ignore_index=VOID) + dice

    return loss


class Step:
    """One step of a plain loop; bf16 and channels_last on a GPU, as anyone would."""

    def __init__(self, task: Task, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], optimizer: Any):
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.device, self.gpu = torch.device(task.device), task.device != "cpu"

    def __call__(self, images: Tensor, labels: Tensor) -> None:
        """Forward, backward, and the optimiser."""
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        if self.gpu:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16, enabled=self.gpu):
            loss = self.loss(self.network(images), labels)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def onto(task: Task, network: nn.Module) -> nn.Module:
    """The network on the task's device, ready to train."""
    network = network.to(task.device).train()
    return network.to(memory_format=torch.channels_last) if task.device != "cpu" else network


def endless(loader: Iterable[Any]) -> Iterator[Any]:
    """The loader's batches, epoch after epoch."""
    while True:
        yield from loader


def one_cycle(done: float, top: float) -> float:
    """The rate after a share of the training: up for a quarter, then down along a cosine."""
    if done < 0.25:
        return top * (0.04 + 0.96 * (1 - math.cos(math.pi * done / 0.25)) / 2)
    return top * max(1e-4, (1 + math.cos(math.pi * min(1.0, (done - 0.25) / 0.75))) / 2)


def trained(steps: Iterator[None], optimizer: Any, top: float, started: float, seconds: float) -> int:
    """Step until the time is over, the rate going through one cycle; how many steps that were."""
    count = 0
    while (done := (time.monotonic() - started) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = one_cycle(done, top)
        next(steps)
        count += 1
    return count


def predictor(task: Task, network: nn.Module, stride: int = 32, mirror: bool = False) -> Callable[[Path], np.ndarray]:
    """Labels of a whole image, from logits at working size that are enlarged to its own. mirror: mean of four flips."""
    mean, std = (torch.tensor(v)[:, None, None] for v in (task.mean, task.std))
    network = network.eval()

    @torch.inference_mode()
    def predict(path: Path) -> np.ndarray:
        image = read_image(path, task.channels)
        tensor = ((torch.from_numpy(image.copy()).movedim(-1, 0).float() - mean) / std)[None]
        if task.size:
            tensor = F.interpolate(tensor, task.size, mode="bilinear", antialias=True)
        h, w = tensor.shape[-2:]
        tensor = F.pad(tensor, (0, -w % stride, 0, -h % stride), mode="reflect").to(task.device)
        total = torch.zeros(())
        for axes in [[], [2], [3], [2, 3]] if mirror else [[]]:
            logits = network(tensor.flip(axes))
            logits = logits[0] if isinstance(logits, list | tuple) else logits  # of deep supervision the finest
            total = total.to(logits.device) + logits.flip(axes)
        total = total[..., :h, :w].float()
        if task.size:
            total = F.interpolate(total, image.shape[:2], mode="bilinear")
        return total[0].argmax(0).to(torch.uint8).cpu().numpy()

    return predict


class Gate:
    """A training that has its own loop, made into an iterator of steps: it runs in a thread and is let through one
    step at a time. `passed` is called by the loop after each step.
    """

    def __init__(self, run: Callable[["Gate"], None]):
        self._go, self._done, self.closed = threading.Semaphore(0), threading.Semaphore(0), False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._threads = torch.get_num_threads()

    def _run(self, run: Callable[["Gate"], None]) -> None:
        torch.set_num_threads(self._threads)  # each thread has a number of its own
        self._go.acquire()
        try:
            run(self)
        except BaseException as error:  # told where the step was asked for
            self._error = error
        self._done.release()

    def passed(self) -> None:
        """One step is over; wait for the next to be asked for."""
        self._done.release()
        self._go.acquire()

    def __iter__(self) -> "Gate":
        return self

    def __next__(self) -> None:
        if not self._thread.is_alive() and self._error is None:
            self._thread.start()
        self._go.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
