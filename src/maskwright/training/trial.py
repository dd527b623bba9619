"""A trial: some real steps of a plan on pictures of noise, and what they cost in time and memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from maskwright.data.augment import draw_moves
from maskwright.data.dataset import Batch, Finish
from maskwright.data.randomness import draw, number
from maskwright.losses import build as build_loss
from maskwright.model import UNet
from maskwright.plan import Cost, Plan
from maskwright.plan.costs import BASE_BYTES
from maskwright.training.job import Job
from maskwright.training.machine import threads
from maskwright.training.step import Step

SECONDS = 1.2
"""For the steps of one trial, after the first."""
FEWEST, MOST = 2, 10
"""Steps that are timed."""


def trial(plan: Plan, seconds: float = SECONDS) -> Cost:
    """What a step costs: reading apart, all of it, on the plan's device.

    Steps are timed until `seconds` have passed, and the median counts; the first is not timed, as it allocates memory
    and chooses algorithms. Memory on a GPU is the highest that was allocated; on a CPU, where none is counted, it is
    what the way back keeps, the weights and their companions, and what Python and torch take.
    """
    torch.manual_seed(number(plan.seed, "trial"))
    step = Step(_job(plan))
    batch = _batch(plan)
    on_gpu = step.device.type == "cuda"
    with threads(plan.device.threads), _kept(step) as kept:
        step(batch)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(step.device)
    times: list[float] = []
    with threads(plan.device.threads):
        while len(times) < FEWEST or (sum(times) < seconds and len(times) < MOST):
            before = time.perf_counter()
            step(batch)  # ends with a number on the CPU, so that a GPU has done all of it
            times.append(time.perf_counter() - before)
    if on_gpu:
        return Cost(median(times), torch.cuda.max_memory_allocated(step.device))
    return Cost(median(times), kept[0] + _weights_and_companions(step) + BASE_BYTES)


def _job(plan: Plan) -> Job:
    """What a step needs of a training; nothing is read and nothing validated."""
    return Job(
        network=UNet.from_record(plan.model),
        crops=cast("Any", None),
        finish=Finish(plan.sampling, plan.preprocess),
        loss=build_loss(plan.loss),
        validation=None,
        settings=plan.training,
        device=plan.device,
        folder=Path(),
        seed=plan.seed,
    )


def _batch(plan: Plan) -> Batch:
    """A batch of noise, as large as the plan's can be."""
    size, channels = plan.sampling.batch, plan.preprocess.channels
    rng = draw(plan.seed, "trial", 0)
    height, width = plan.augment.source_size(plan.sampling.crop)
    dtype = np.dtype(plan.preprocess.dtype)
    top = 1 if dtype.kind == "f" else min(255, np.iinfo(dtype).max)
    images = (rng.random((size, channels, height, width), np.float32) * top).astype(dtype)
    labels = rng.integers(0, max(2, plan.model.classes), (size, height, width), np.uint8)
    weights = np.ones((size, height, width), np.float16) if plan.loss.border else None
    numbers = range(size)
    return Batch(
        step=0,
        numbers=tuple(numbers),
        images=torch.from_numpy(images),
        labels=torch.from_numpy(labels),
        weights=None if weights is None else torch.from_numpy(weights),
        moves=draw_moves(plan.augment, plan.seed, numbers, channels, np.zeros((size, 2))),
    )


@contextmanager
def _kept(step: Step) -> Iterator[list[int]]:
    """A list that gets the bytes that the forward pass keeps for the way back, weights apart."""
    weights = {p.untyped_storage().data_ptr() for p in step.network.parameters()}
    storages: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    found: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield found
    # On the way back each map has a gradient, of which a few live at a time: those of the largest.
    found.append(sum(storages.values()) + 4 * max(storages.values(), default=0))


def _weights_and_companions(step: Step) -> int:
    """Weights, gradients, mean, best weights, and what the optimiser keeps."""
    weights = sum(p.nbytes for p in step.network.parameters())
    kept = sum(
        value.nbytes for state in step.optimizer.state.values() for value in state.values() if torch.is_tensor(value)
    )
    return 4 * weights + kept
