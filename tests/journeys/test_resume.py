"""A run killed anywhere and resumed equals the uninterrupted one, bit for bit."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import maskwright
from maskwright import api
from maskwright.errors import CheckpointError
from maskwright.training.callbacks import Listener, read_history

EPOCHS = 20
SETTINGS = {"checkpoint_seconds": 0.05, "model.dropout": 0.2, "model.dropout_at": "all", "augment.elastic": 2.0}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def history(run: Path) -> list[dict]:
    return [row.model_dump(exclude={"seconds"}) for row in read_history(run / "history.jsonl")]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "maskwright", "train", *map(str, words)]


def killed_once_it_has_a_checkpoint(words: list[str], run: Path, wait: float) -> bool:
    """Start the command, kill -9 it some time after its first checkpoint; whether it was still at work."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    while process.poll() is None and not (run / "last.ckpt").exists():
        time.sleep(0.01)
    time.sleep(wait)
    working = process.poll() is None
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert working or process.returncode in {0, -signal.SIGKILL}, errors.decode()
    return working


@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_the_uninterrupted_one_bit_for_bit(blobs, tiny, tmp_path):
    folder = blobs()
    settings = {**tiny, **SETTINGS}
    whole = maskwright.train(folder, out=tmp_path / "whole", epochs=EPOCHS, device="cpu", settings=settings)
    words = command(folder, *(f"{k}={v}" for k, v in settings.items()), "--epochs", EPOCHS, "--device", "cpu")

    wait = random.Random(time.time_ns()).uniform(0.0, 0.4)  # anywhere: a step, a validation, a checkpoint
    killed = killed_once_it_has_a_checkpoint([*words, "--out", str(tmp_path / "killed")], tmp_path / "killed", wait)
    assert killed, "the run was over before it was killed: raise EPOCHS"
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    resumed = api.resume(tmp_path / "killed")

    assert resumed.outcome.steps == whole.outcome.steps
    assert same(weights(whole.folder), weights(resumed.folder))
    assert history(whole.folder) == history(resumed.folder)


class StopsAt(Listener):
    """Presses Ctrl-C at a step."""

    def __init__(self, step: int):
        self.step = step

    def stepped(self, news):
        if news.step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_keeps_the_best_model_and_the_run_can_go_on(blobs, tiny, tmp_path):
    folder, settings = blobs(), {**tiny, "model.dropout": 0.2}
    whole = maskwright.train(folder, out=tmp_path / "whole", epochs=10, device="cpu", settings=settings)

    stopped = maskwright.train(
        folder, out=tmp_path / "run", epochs=10, device="cpu", settings=settings, callbacks=[StopsAt(17)]
    )
    assert not stopped.outcome.finished
    assert stopped.outcome.steps == 17
    assert stopped.outcome.score is not None, "one validation lay behind it"
    maskwright.load(stopped.model)
    resumed = api.resume(tmp_path / "run")

    assert resumed.outcome.finished
    assert same(weights(whole.folder), weights(resumed.folder))
    assert not (tmp_path / "run" / "interrupted").exists()


def test_a_finished_run_and_a_folder_that_is_none_are_not_resumed(blobs, tiny, tmp_path):
    run = maskwright.train(blobs(), out=tmp_path / "run", epochs=1, device="cpu", settings=tiny)
    with pytest.raises(CheckpointError, match="is finished"):
        api.resume(run.folder)
    with pytest.raises(CheckpointError, match="is not a run"):
        api.resume(tmp_path)


def test_a_run_killed_before_its_first_checkpoint_starts_again_and_ends_the_same(blobs, tiny, tmp_path):
    whole = maskwright.train(blobs(), out=tmp_path / "whole", epochs=3, device="cpu", settings=tiny)
    early = maskwright.train(blobs(), out=tmp_path / "early", epochs=3, device="cpu", settings=tiny)
    for name in ("model.safetensors", "last.ckpt"):
        (early.folder / name).unlink()

    assert same(weights(whole.folder), weights(api.resume(early.folder).folder))
