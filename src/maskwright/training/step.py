"""One step of training: a batch becomes a loss, the loss gradients, and these move the weights."""

from typing import NamedTuple, cast

import torch
from torch import Tensor

from maskwright.data.dataset import Batch
from maskwright.data.randomness import number
from maskwright.losses import supervised
from maskwright.model import UNet
from maskwright.training import optimisers
from maskwright.training.job import Job
from maskwright.training.machine import arrange, fabric_for, formatted
from maskwright.training.stages import by_level
from maskwright.training.supervision import cropped, finest


class Stepped(NamedTuple):
    """What a step saw."""

    loss: float
    """May be no number."""
    logits: Tensor
    """B K H W, before the weights moved; without gradients."""
    labels: Tensor
    """B H W, those of the logits."""


class Step:
    """A job's network and optimiser on their device, and what a batch does to them.

    Everything random in a step is a function of (seed, step). Whoever learns a little, the loop, a range test, a
    measurement, learns it here.
    """

    def __init__(self, job: Job):
        self.job = job
        self.fabric = fabric_for(job.device)
        arrange(job.network, job.device)
        optimizer = optimisers.build(job.network, job.settings.optimizer, by_level=by_level(job.settings))
        self._wrapped, self.optimizer = self.fabric.setup(job.network, optimizer)

    @property
    def device(self) -> torch.device:
        """Where the arithmetic happens."""
        return self.fabric.device

    @property
    def network(self) -> UNet:
        """The network itself, whatever is wrapped around it."""
        return cast("UNet", self._wrapped.module)

    def __call__(self, batch: Batch) -> Stepped:
        """Learn from a batch."""
        job = self.job
        torch.manual_seed(number(job.seed, "dropout", batch.step))
        images, labels, weights = job.finish(batch, self.device)
        outputs = self._wrapped(formatted(images, job.device))
        logits = finest(outputs)
        labels, weights = cropped(labels, weights, logits.shape[-2:])
        loss = supervised(job.loss, outputs, labels, weights)
        self.fabric.backward(loss)
        if job.settings.optimizer.clip:
            self.fabric.clip_gradients(self._wrapped, self.optimizer, max_norm=job.settings.optimizer.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return Stepped(float(loss.detach()), logits.detach(), labels)  # a GPU waits here; the next batch is being read
