"""What two processes do in tests of several devices: `python together.py HOME` in each, started as `torchrun` would.

Each training leaves its losses, rows and weights in HOME as NAME.pt, written by the first process.
"""

import signal
import sys
from pathlib import Path

import torch

from maskwright.data.sample import Samples
from maskwright.plan import Plan
from maskwright.training.callbacks import Listener
from maskwright.training.loop import fit
from maskwright.training.prepare import prepare
from maskwright.training.world import here


class Keeps(Listener):
    """Keeps losses and rows; a signal stops it after so many steps."""

    def __init__(self, stop=None):
        self.losses, self.rows, self.stop = [], [], stop

    def stepped(self, news):
        self.losses.append(news.loss)
        if news.step == self.stop:
            signal.raise_signal(signal.SIGINT)

    def validated(self, row):
        self.rows.append([row.val_loss, row.val_score, row.val_accuracy, row.train_accuracy])


class Interrupted:
    """Crops; the process gets a signal of its own when that step is read."""

    def __init__(self, crops, step):
        self.crops, self.step = crops, step

    def __getitem__(self, step):
        if step == self.step:
            signal.raise_signal(signal.SIGINT)
        return self.crops[step]

    def __getattr__(self, name):
        return getattr(self.crops, name)


def learn(folder, world, *, stop=None, resume=False, strategy="ddp", signalled=None):
    """Train as the plan in a folder says; what was seen."""
    samples, plan = Samples.load(folder.parent / "samples.json"), Plan.load(folder / "plan.yaml")
    device = plan.device.model_copy(update={"devices": max(1, world.size), "strategy": strategy})
    job = prepare(folder, samples, plan.model_copy(update={"device": device}), world=world)
    if signalled is not None and not world.first:
        job.crops = Interrupted(job.crops, signalled)
    keeps = Keeps(stop)
    outcome = fit(job, [keeps] if world.first else (), resume=resume)
    return {"losses": keeps.losses, "rows": keeps.rows, "weights": outcome.weights, "steps": outcome.steps}


def main(home):
    world = here()
    plan = Plan.load(home / "curve" / "plan.yaml")
    with world.together():
        world.join(world.settings(plan.device))
        for name, options in (
            ("curve", {}),
            ("uneven", {}),
            ("begun", {"stop": 5}),
            ("continued", {"resume": True}),
            ("sharded", {"strategy": "fsdp"}),
            ("signalled", {"signalled": 3}),
            ("half-sharded", {"strategy": "fsdp", "stop": 5}),
        ):
            found = learn(home / name, world, **options)
            if world.first:
                torch.save(found, home / f"{name}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
