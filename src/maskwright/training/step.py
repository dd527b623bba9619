"""One step of training: a batch becomes a loss, the loss gradients, and these move the weights."""

import copy
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from maskwright.data.dataset import Batch
from maskwright.data.randomness import number
from maskwright.losses import supervised
from maskwright.model import UNet
from maskwright.training import optimisers
from maskwright.training.job import Job
from maskwright.training.machine import arrange, fabric_for, formatted
from maskwright.training.stages import by_level
from maskwright.training.supervision import Outputs, cropped, finest
from maskwright.training.syncnorm import synchronise


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
        many = job.world.size > 1
        self.fabric = fabric_for(job.device, many=many, freezes=any(stage.freeze for stage in job.settings.stages))
        sharded = many and job.device.strategy == "fsdp"
        arrange(job.network, job.device, sharded=sharded)
        if many:
            self.fabric.launch()
            synchronise(job.network, gpu=self.device.type == "cuda")
        self.twin = copy.deepcopy(job.network).to(self.device) if sharded else job.network
        """The network as a whole, for the mean of its weights to begin with."""
        if sharded:
            self._wrapped = self.fabric.setup_module(job.network)
        optimizer = optimisers.build(job.network, job.settings.optimizer, by_level=by_level(job.settings))
        self.optimizer: Optimizer
        if sharded:
            self.optimizer = cast("Optimizer", self.fabric.setup_optimizers(optimizer))
        else:
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
        torch.manual_seed(number(job.seed, "dropout", batch.step, *([job.world.rank] if job.world.rank else [])))
        images, labels, weights = job.finish(batch, self.device)
        outputs = self._wrapped(formatted(images, job.device))
        labels, weights = cropped(labels, weights, finest(outputs).shape[-2:])
        outputs, labels, weights = self._whole(outputs, labels, weights)
        logits = finest(outputs)
        loss = supervised(job.loss, outputs, labels, weights)
        # Gradients of several processes are averaged, and those of the loss of the whole batch are to be added up.
        self.fabric.backward(loss * job.world.size if job.world.size > 1 else loss)
        if job.settings.optimizer.clip:
            self.fabric.clip_gradients(self._wrapped, self.optimizer, max_norm=job.settings.optimizer.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return Stepped(float(loss.detach()), logits.detach(), labels)  # a GPU waits here; the next batch is being read

    def _whole(self, outputs: Outputs, labels: Tensor, weights: Tensor | None) -> tuple[Outputs, Tensor, Tensor | None]:
        """Those of all processes: the losses sum over a batch in ways of their own, so each must see all of it."""
        world = self.job.world
        if world.size == 1:
            return outputs, labels, weights
        batch = self.job.crops.sampling.batch
        every = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        gathered = [world.whole(logits.float(), batch) for logits in every]
        return (
            gathered[0] if isinstance(outputs, Tensor) else gathered,
            world.whole(labels, batch),
            None if weights is None else world.whole(weights, batch),
        )
