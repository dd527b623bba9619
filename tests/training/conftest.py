"""Small jobs on painted discs, for the tests of the loop and of what steers it."""

from types import SimpleNamespace

import pytest

from maskwright import api
from maskwright.training.callbacks import Listener
from maskwright.training.prepare import prepare


@pytest.fixture(scope="session")
def discs(paint_blobs, tmp_path_factory):
    """A small painted folder, looked at."""
    return api.inspect(paint_blobs(tmp_path_factory.mktemp("discs") / "blobs", size=(24, 20)))


@pytest.fixture
def job_of(discs, tiny, tmp_path):
    """Builds a job of twelve steps with some settings of the plan changed, in a run folder of that name."""
    quick = {
        **tiny,
        "training.budget": {"steps": 12},
        "model.base": 4,
        "sampling.crop": [16, 16],
        "device.threads": 1,
        "device.channels_last": False,
    }

    def build(run="run", **settings):
        named = {key.replace("__", "."): value for key, value in settings.items()}
        plan = api.plan(discs, device="cpu", settings={**quick, **named})
        (tmp_path / run).mkdir(exist_ok=True)
        return prepare(tmp_path / run, discs.samples, plan)

    return build


class Watches(Listener):
    """Keeps every step's news and a copy of the weights after it, and every row."""

    def __init__(self, job):
        self.job, self.news, self.weights, self.rows = job, [], [], []

    def stepped(self, news):
        self.news.append(news)
        self.weights.append({name: tensor.clone() for name, tensor in self.job.network.state_dict().items()})

    def validated(self, row):
        self.rows.append(row)


class KilledError(BaseException):
    """Stands for kill -9."""


class DiesAfter(Listener):
    """Kills the training in the step after that one, before its checkpoint is written."""

    def __init__(self, step):
        self.step = step

    def stepped(self, news):
        if news.step == self.step + 1:
            raise KilledError


@pytest.fixture(scope="session")
def listeners():
    """The listeners above; test modules are imported one by one and cannot import this file."""
    return SimpleNamespace(Watches=Watches, DiesAfter=DiesAfter, Killed=KilledError)
