"""Two processes on a CPU against one with the same batch."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from maskwright import api
from maskwright.devices import DeviceSettings, spread
from maskwright.errors import SettingError
from maskwright.training.world import Place, World, demand_shares, here

HELPER = Path(__file__).with_name("together.py")
NOTHING = ("WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "RANK", "SLURM_NTASKS", "SLURM_STEP_ID")


def in_two(*words, timeout=240):
    """Run a script in two processes that meet as those of `torchrun` do; their exit statuses and outputs."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    common = {**os.environ, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen(
            [sys.executable, *map(str, words)], env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    return [process.returncode for process in processes], outputs


@pytest.fixture(scope="module")
def together():
    """The helper, as a module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("together", HELPER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def home(paint_blobs, tiny, together, tmp_path_factory):
    """A folder where two processes have trained, and a function that trains the same in one."""
    home = tmp_path_factory.mktemp("world")
    seen = api.inspect(paint_blobs(home / "blobs", count=9, size=(24, 20)))
    seen.samples.save(home / "samples.json")
    settings = {
        **tiny, "training.budget": {"steps": 12}, "model.base": 4, "sampling.crop": [16, 16], "sampling.batch": 4,
        "augment.rotate": 45, "model.norm": "batch", "training.ema": 0.9, "optimizer.name": "muon",
        "optimizer.clip": 1.0, "loss.terms": {"cross_entropy": 1.0, "dice": 1.0}, "device.channels_last": False,
        "device.threads": 1, "model.deep_supervision": True, "optimizer.lr": 3e-3,
    }  # fmt: skip
    for name in ("curve", "uneven", "begun", "continued", "sharded", "half-sharded", "signalled"):
        (home / name).mkdir()
        # Muon and Adam do not see how large a gradient is; SGD does.
        plain = {"sampling.batch": 3, "optimizer.name": "sgd", "optimizer.clip": None, "optimizer.lr": 0.05}
        more = plain if name == "uneven" else {}
        api.plan(seen, device="cpu", settings={**settings, **more}).save(home / name / "plan.yaml")
    together.learn(home / "continued", World(), stop=5)
    statuses, outputs = in_two(HELPER, home)
    assert statuses == [0, 0], outputs
    assert not outputs[1].strip(), "the second process says nothing"
    return home


@pytest.fixture(scope="module")
def alone(home, together):
    """What one process sees with the plan of that name."""
    found = {}

    def learn(name):
        if name not in found:
            folder = home / f"alone-{name}"
            folder.mkdir()
            shutil.copy(home / name / "plan.yaml", folder)
            found[name] = together.learn(folder, World())
        return found[name]

    return learn


def same(found, expected, first=0):
    assert len(found["losses"]) + first == len(expected["losses"]) == 12
    assert found["losses"] == pytest.approx(expected["losses"][first:], rel=2e-4)
    for row, other in zip(reversed(found["rows"]), reversed(expected["rows"]), strict=False):
        assert [value for value in row if value is not None] == pytest.approx(
            [value for value in other if value is not None], rel=2e-3
        )


@pytest.mark.parametrize(("name", "as_one"), [("curve", "curve"), ("uneven", "uneven"), ("sharded", "curve")])
def test_two_processes_learn_what_one_with_the_whole_batch_learns(name, as_one, home, alone):
    """Batch norm, sums over the batch with ignored pixels, clipping, Muon, the mean of the weights, validation."""
    found = torch.load(home / f"{name}.pt")
    same(found, alone(as_one))
    for key, expected in alone(as_one)["weights"].items():
        torch.testing.assert_close(found["weights"][key], expected, rtol=5e-3, atol=5e-4, msg=key)


def test_a_run_goes_on_with_more_devices(home, alone):
    same(torch.load(home / "continued.pt"), alone("curve"), first=5)


@pytest.mark.parametrize("name", ["begun", "half-sharded"])
def test_a_run_goes_on_with_fewer_devices_however_they_shared_the_work(name, home, alone, together):
    same(together.learn(home / name, World(), resume=True), alone("curve"), first=5)


def test_a_signal_that_reaches_one_process_stops_all_after_the_same_step(home, alone, together):
    assert torch.load(home / "signalled.pt")["steps"] == 4
    same(together.learn(home / "signalled", World(), resume=True), alone("curve"), first=4)


def test_the_parts_of_a_batch_are_the_batch(job_of):
    crops = job_of(sampling__batch=5).crops
    whole, parts = crops[3], []
    for i in range(3):
        crops.share = (i, 3)
        parts.append(crops[3])

    assert [len(part.images) for part in parts] == [1, 2, 2]
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.moves.affine for part in parts]), whole.moves.affine)


def test_the_environment_says_who_else_was_started(monkeypatch):
    for name in NOTHING:
        monkeypatch.delenv(name, raising=False)

    def place(**environment):
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            return here().place

    assert place() == Place()
    by_torchrun = {"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "6", "LOCAL_RANK": "2"}
    assert place(**by_torchrun) == Place(6, 4, 2, True)
    in_a_job = {"SLURM_NTASKS": "6", "SLURM_PROCID": "4", "SLURM_NTASKS_PER_NODE": "3"}
    assert place(**in_a_job, SLURM_STEP_ID="0") == Place(4, 3, 2, True)
    assert place(**in_a_job) == Place(), "sbatch without srun starts one process"
    with pytest.raises(SettingError, match="--ntasks-per-node"):
        place(SLURM_NTASKS="6", SLURM_PROCID="4", SLURM_STEP_ID="0")


def test_devices_that_cannot_work_together_are_an_error_that_says_what_to_do():
    two = DeviceSettings(devices=2, strategy="fsdp")
    with pytest.raises(SettingError, match=r"sampling\.batch=2"):
        demand_shares(1, two, freezes=False)
    with pytest.raises(SettingError, match="--strategy ddp"):
        demand_shares(2, two, freezes=True)
    with pytest.raises(SettingError, match="bf16-mixed"):
        demand_shares(2, two.model_copy(update={"precision": "16-mixed"}), freezes=False)
    with pytest.raises(SettingError, match="CUDA_VISIBLE_DEVICES"):
        spread(DeviceSettings(name="cuda:1"), 2)
    with pytest.raises(SettingError, match="not on mps"):
        spread(DeviceSettings(name="mps"), 2)
    assert spread(DeviceSettings(threads=4), 2).threads == 2
    assert spread(spread(DeviceSettings(threads=4), 4), 1).threads == 4
