"""One step of training: a batch becomes a loss, the loss gradients, and these move the weights."""

import copy
import math
from typing import Any, Final, NamedTuple, cast

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
from maskwright.training.vitals import EVERY, Look, Vitals, slope

MOST_LEFT_OUT: Final = 40
"""Steps in a row that the scaler of 16-bit floats may leave out: it has halved its scale to nothing by then."""


class Stepped(NamedTuple):
    """What a step saw."""

    loss: float
    """May be no number."""
    logits: Tensor
    """B K H W, before the weights moved; without gradients."""
    labels: Tensor
    """B H W, those of the logits."""
    gradient: float = 0.0
    """Length of all gradients, before they are clipped; may be no number."""
    moved: bool = True
    """Whether the weights were moved. They are not where loss or gradient is no number: it would be in all of them."""
    vitals: Vitals | None = None
    """Of every tenth step."""


class Step:
    """A job's network and optimiser on their device, and what a batch does to them.

    Everything random in a step is a function of (seed, step). Whoever learns a little, the loop, a range test, a
    measurement, learns it here.
    """

    def __init__(self, job: Job):
        self.job = job
        many = job.world.size > 1
        self.fabric = fabric_for(job.device, many=many, freezes=any(stage.freeze for stage in job.settings.stages))
        self._sharded = sharded = many and job.device.strategy == "fsdp"
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
        self._scaler: Any = getattr(self.fabric.strategy.precision, "scaler", None)
        self._left_out = 0

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
        # A GPU waits here, with the step still to take: while it takes it, the next batch is being prepared.
        value, gradient = torch.stack([loss.detach(), slope(self.network).to(loss.device)]).tolist()
        if self._sharded:
            gradient = math.sqrt(float(job.world.sum(torch.tensor(gradient**2, dtype=torch.float64))))
        if not self._sound(value, gradient):
            self.optimizer.zero_grad()
            return Stepped(value, logits.detach(), labels, gradient, moved=False)
        look = Look(self.network) if batch.step % EVERY == 0 and not self._sharded else None
        if job.settings.optimizer.clip:
            self.fabric.clip_gradients(
                self._wrapped, self.optimizer, max_norm=job.settings.optimizer.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        vitals = look.vitals() if look else None
        self.optimizer.zero_grad()
        return Stepped(value, logits.detach(), labels, gradient, vitals=vitals)

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

    def _sound(self, loss: float, gradient: float) -> bool:
        """Whether the step may be taken. With 16-bit floats gradients are scaled up, and where they overflow Fabric's
        scaler leaves the step out and scales less: it does so in the first steps of most trainings.
        """
        if not math.isfinite(loss):
            return False
        if self._scaler is None:
            return math.isfinite(gradient)
        self._left_out = 0 if math.isfinite(gradient) else self._left_out + 1
        return self._left_out < MOST_LEFT_OUT
