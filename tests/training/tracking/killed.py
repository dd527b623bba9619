"""Trains with all trackers and kills itself by SIGKILL at step 35, its checkpoint being of step 13.

Arguments: the data, the run's folder, the settings as JSON.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
import time
from pathlib import Path

import maskwright
from maskwright.training.callbacks import Listener


class Kills(Listener):
    def __init__(self, run: Path):
        self.run = run

    def stepped(self, news):
        if news.step == 14:
            shutil.copy(self.run / "last.ckpt", self.run / "kept.ckpt")
        if news.step == 35:
            while last_step_in_mlflow(self.run.parent / "mlflow.db") < 30:
                time.sleep(0.05)
            (self.run / "kept.ckpt").replace(self.run / "last.ckpt")
            os.kill(os.getpid(), signal.SIGKILL)


def last_step_in_mlflow(store):
    with sqlite3.connect(store) as base:
        return base.execute("select max(step) from metrics").fetchone()[0] or 0


if __name__ == "__main__":
    data, run, settings = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    trackers = ["tensorboard", "mlflow", "wandb"]
    maskwright.train(data, out=run, device="cpu", settings=settings, track=trackers, callbacks=[Kills(run)])
