"""Searching for settings from the command line, killed and in company."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from maskwright import api
from maskwright.cli import app
from maskwright.errors import SettingError
from maskwright.plan import Plan
from maskwright.tuning import search as room
from maskwright.tuning.search import Search
from maskwright.tuning.space import Space

SPACE = "optimizer.lr: {low: 4e-3, high: 0.1, log: true, along: [optimizer.side_lr]}\ntraining.ema: [null, 0.9]\n"


@pytest.fixture
def small(tiny):
    return {key: value for key, value in tiny.items() if not key.startswith("optimizer")} | {"model.base": 4}


def words(settings):
    return [f"{key}={value}" for key, value in settings.items()]


def test_the_command_searches_tells_and_prints_the_command_that_trains(blobs, small, tmp_path, monkeypatch):
    monkeypatch.setattr("maskwright.cli.console.console.width", 200)  # its width is that of when it was made
    (tmp_path / "space.yaml").write_text(SPACE)
    options = ["--trials", "2", "--epochs", "2", "--device", "cpu", "--val", "img_0[67].png"]
    options += ["--out", str(tmp_path / "s"), "--space", str(tmp_path / "space.yaml")]
    done = CliRunner().invoke(app, ["tune", str(blobs()), *words(small), *options], env={"COLUMNS": "200"})

    assert done.exit_code == 0, done.output
    for text in ("0.004 … 0.1 (logarithmic), in proportion", "trial 1 of 2: optimizer.lr", "flatters", "test part"):
        assert text in done.output
    assert "optuna" not in done.output.lower()
    (line,) = [line for line in done.output.splitlines() if line.strip().startswith("maskwright train")]
    ready = shlex.split(line)
    assert ready[2:] == [str(tmp_path / "blobs"), "--plan", str(tmp_path / "s" / "plan.yaml"), "--val", "img_0[67].png"]
    trained = CliRunner().invoke(app, [*ready[1:], "--out", str(tmp_path / "run")])
    assert trained.exit_code == 0, trained.output

    again = CliRunner().invoke(app, ["tune", "--resume", str(tmp_path / "s")], env={"COLUMNS": "200"})
    assert again.exit_code == 0, again.output
    assert "trials, best first" in again.output


def test_around_a_recipe_the_command_follows_it(blobs, tiny, tmp_path):
    settings = {"preprocess.size": [32, 32], "model.base": 2, "model.depth": 1, "validation.times": 1}
    options = ["--recipe", "pets-unet", "--trials", "2", "--out", str(tmp_path / "s"), "--device", "cpu"]
    (tmp_path / "space.yaml").write_text("optimizer.lr: [1e-3, 1e-2]")
    options += ["--space", str(tmp_path / "space.yaml")]
    done = CliRunner().invoke(app, ["tune", str(blobs()), *words(settings), "training.budget={steps: 2}", *options])

    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if line.strip().startswith("maskwright train")]
    ready = shlex.split(line)
    trained = CliRunner().invoke(app, [*ready[1:], "--out", str(tmp_path / "run"), "--device", "cpu"])
    assert trained.exit_code == 0, trained.output
    best, run = (Plan.load(tmp_path / name / "plan.yaml") for name in ("s", "run"))
    assert run.model_copy(update={"reasons": {}}) == best.model_copy(update={"reasons": {}})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "--resume"),
        (["data", "--resume", "s"], "--resume"),
        (["data", "--plan", "p", "--recipe", "r"], "not both"),
        (["data", "--space", "nowhere.yaml"], "does not exist"),
    ],
)
def test_arguments_that_do_not_go_together_are_told(given, told):
    done = CliRunner().invoke(app, ["tune", *given])

    assert isinstance(done.exception, SettingError)
    assert told in str(done.exception)


def begun(folder, blobs, settings, trials, tmp_path):
    """The folder of a search of which no trial has begun yet."""
    seen = api.inspect(blobs)
    plan = api.plan(seen, device="cpu", settings={**settings, "device.threads": 1})
    (tmp_path / "space.yaml").write_text(SPACE)
    space = Space.load(tmp_path / "space.yaml").demanded(plan)
    search = Search(trials=trials, data=str(blobs), space=space, plan=plan, read_seconds=0.0)
    room.begin(folder, seen.samples, seen.fingerprint, search)
    return folder


def started(folder):
    """Another process at work on the search, once it has begun a trial."""
    command = [sys.executable, "-m", "maskwright", "tune", "--resume", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    while process.poll() is None and not (folder / "trials" / "000" / "history.jsonl").exists():
        time.sleep(0.01)
    return process


def told(found):
    return [trial.model_dump(exclude={"seconds"}) for trial in found.trials]


@pytest.mark.slow
def test_a_search_that_is_killed_in_a_trial_goes_on_to_the_same_end(blobs, small, tmp_path):
    settings = {**small, "training.budget": {"steps": 40}, "checkpoint_seconds": 0.05}
    whole, killed = (begun(tmp_path / name, blobs(), settings, 3, tmp_path) for name in ("whole", "killed"))
    process = started(killed)
    while process.poll() is None and not (killed / "trials" / "001" / "last.ckpt").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()

    resumed = api.resume_tune(killed)

    assert [trial.state for trial in resumed.trials] == ["finished"] * 3
    assert told(resumed) == told(api.resume_tune(whole))


def test_two_processes_share_the_trials_of_one_search(blobs, small, tmp_path):
    settings = {**small, "training.budget": {"steps": 20}}
    folder = begun(tmp_path / "s", blobs(), settings, 6, tmp_path)
    mine = []

    class Counts:
        def begun(self, trial, trials):
            mine.append(trial.number)

        def over(self, trial, leader):
            pass

    other = started(folder)
    api.resume_tune(folder, told=Counts())
    _, errors = other.communicate()
    assert other.returncode == 0, errors.decode()

    rows = api.resume_tune(folder).trials
    assert [trial.number for trial in rows] == list(range(6))
    assert {trial.state for trial in rows} <= {"finished", "pruned"}
    assert 0 < len(mine) < 6
    assert 0 not in mine
