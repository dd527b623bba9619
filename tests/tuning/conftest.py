"""A small painted folder and a plan that trains on it in a moment, for searches."""

import pytest

from maskwright import api
from maskwright.tuning.space import Space


@pytest.fixture(scope="session")
def discs(paint_blobs, tmp_path_factory):
    """A small painted folder, looked at."""
    return api.inspect(paint_blobs(tmp_path_factory.mktemp("discs") / "blobs", size=(24, 20)))


@pytest.fixture(scope="session")
def quick(tiny):
    """Settings for twelve steps of a tiny network."""
    small = {"training.budget": {"steps": 12}, "model.base": 4, "sampling.crop": [16, 16]}
    return {**tiny, **small, "device.threads": 1, "device.channels_last": False}


@pytest.fixture(scope="session")
def plan(discs, quick):
    """The plan as it stands."""
    return api.plan(discs, device="cpu", settings=quick)


@pytest.fixture(scope="session")
def space():
    """Three settings of different kinds, one with another in proportion."""
    rates = {"low": 0.004, "high": 0.1, "log": True, "along": ["optimizer.side_lr"]}
    batches = {"low": 1, "high": 4}
    return Space.read({"optimizer.lr": rates, "sampling.batch": batches, "training.ema": [None, 0.9, 0.99]})
