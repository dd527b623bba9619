"""`maskwright train` in several processes, as people start them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import maskwright
from maskwright.plan import Plan
from maskwright.training.callbacks import read_history

HERE = Path(__file__).parent


def run(*words):
    """Run a command; what it says on both channels."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=300, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def words_of(tiny, out):
    return [*(f"{key}={value}" for key, value in tiny.items()), "--epochs", "3", "--device", "cpu", "--out", out]


def check(code, out, err, folder):
    assert code == 0, out + err
    assert out.count("training ended") == 1, "the first process alone prints"
    assert not err.strip(), err
    assert Plan.load(folder / "plan.yaml").device.devices == 2
    assert [row.step for row in read_history(folder / "history.jsonl")] == [4, 8, 12]
    assert maskwright.load(folder / "model.safetensors")


def test_devices_are_started_from_the_command_line(blobs, tiny, tmp_path):
    folder = tmp_path / "run"
    check(*run(sys.executable, "-m", "maskwright", "train", blobs(), *words_of(tiny, folder), "--devices", 2), folder)


@pytest.mark.slow
@pytest.mark.parametrize("start", [
    [Path(sys.executable).with_name("torchrun"), "--nproc-per-node", "2", "-m", "maskwright", "train"],
], ids=["torchrun"])  # fmt: skip
def test_devices_are_started_by_others(start, blobs, tiny, tmp_path):
    folder = tmp_path / "run"
    check(*run(*start, blobs(), *words_of(tiny, folder)), folder)


@pytest.mark.slow
def test_an_error_of_one_process_ends_all_and_is_told(blobs, tiny, tmp_path):
    settings = [f"{key}={value}" for key, value in tiny.items()]
    code, out, err = run(sys.executable, HERE / "failing.py", blobs(), tmp_path / "run", *settings)

    assert code == 1
    assert "not reached" not in out
    assert (
        err.strip()
        .splitlines()[-1]
        .endswith(  # torch puts "[rank0]: " before it
            "maskwright.errors.TrainingError: Training ended, as process 2 of 2 failed: img_03.png has vanished."
        )
    )
