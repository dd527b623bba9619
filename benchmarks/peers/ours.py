"""Maskwright: the plan that `maskwright plan` makes, with the network, crop and batch of the task; its own loop."""

import tempfile
from pathlib import Path

from torch import nn

from maskwright import api
from maskwright.training.callbacks import Listener
from maskwright.training.loop import fit
from maskwright.training.prepare import prepare
from peers.task import Gate, Task


class Passing(Listener):
    """Tells of each step."""

    def __init__(self, gate: Gate):
        self.gate = gate

    def stepped(self, news: object) -> None:
        """A step is over."""
        self.gate.passed()


class Peer:
    """Only for `steps`: trainings are run by the command line (`peers_quality.py`)."""

    def __init__(self, optimizer: str | None = None):
        self.optimizer = optimizer

    def steps(self, task: Task, network: nn.Module | None = None, workers: int = 0, *, seen=None) -> Gate:
        """Steps of training with the given network, or its own."""
        assert network is not None, "with the network that the others are given"
        folder = tempfile.TemporaryDirectory()
        self.folder = folder  # kept as long as the peer is
        record = network.record
        settings = {
            "preprocess.scale": 1.0 if task.size is None else None,
            "preprocess.size": task.size,
            **{f"model.{key}": value for key, value in record.plain().items() if not isinstance(value, dict)},
            "sampling.crop": task.crop,
            "sampling.batch": task.batch,
            "training.validation.times": 1,
            **({"training.optimizer.name": self.optimizer} if self.optimizer else {}),
            **({"training.optimizer.lr": 2e-3} if self.optimizer else {}),
        }
        settings = {key: value for key, value in settings.items() if value is not None}
        decided = api.plan(seen, epochs=10**6, device=task.device, seed=task.seed, settings=settings)
        job = prepare(Path(folder.name), seen.samples, decided)
        job.workers = workers
        job.network.load_state_dict(network.state_dict())
        return Gate(lambda gate: fit(job, [Passing(gate)]))
