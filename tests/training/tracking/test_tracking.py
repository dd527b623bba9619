import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maskwright import api
from maskwright.cli import app
from maskwright.errors import SettingError
from maskwright.training.callbacks import HistoryRow, Listener, StepNews, read_history
from maskwright.training.tracking import Tracker, begin, trackers, tracking

# MLflow 3.17 with SQLAlchemy 2.1, both of them others'.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

LONG = 30.0


@pytest.fixture
def mine(monkeypatch):
    """A tracker of the user's own, registered; what its objects were told."""
    trackers.names()
    monkeypatch.setattr(trackers, "_parts", dict(trackers._parts))
    told = []

    @trackers.register("mine")
    class Mine(Tracker):
        """Keeps what it is told in a list."""

        def place(self, folder):
            return {"shelf": 3}

        def open(self, run):
            told.append(("open", run))
            return 0

        def log(self, rows):
            told.extend(("row", row) for row in rows)

        def finish(self, results):
            told.append(("finish", results))

        def fail(self, reason):
            told.append(("fail", reason))

    return told


def steps(told):
    return [row.step for what, row in told if what == "row"]


def news(step, loss=0.5):
    return StepNews(
        step=step, total=50, epoch=1.0, loss=loss, images_per_second=4.0, seconds_left=None, score=None, rate=0.1
    )


def validation(step):
    return HistoryRow(step=step, epoch=1.0, seconds=1.0, rate=0.1, train_loss=0.4, val_score=0.7)


def test_a_users_own_tracker_is_told_of_a_whole_training(mine, blobs, tiny, tmp_path):
    settings = {**tiny, "training.budget": {"steps": 24}}
    run = api.train(blobs(), out=tmp_path / "run", device="cpu", settings=settings, track=["mine"])

    ((first, opened), *_, (last, results)) = mine
    assert (first, last) == ("open", "finish")
    assert (opened.folder, opened.name, opened.place) == (tmp_path / "run", "run", {"shelf": 3})
    assert opened.settings["training.optimizer.lr"] == 0.02
    assert not any(key.startswith("reasons") for key in opened.settings)
    assert opened.data["train"] == len(api.inspect(blobs()).samples.part("train"))
    assert opened.notes
    history = {row.step: row for row in run.outcome.history}
    assert steps(mine) == sorted({1, 10, 20, *history})
    for row in (row for what, row in mine if what == "row" and row.step in history):
        assert row.values["val/mean_iou"] == history[row.step].val_score
        assert row.values["train/loss"] == history[row.step].train_loss
    assert results.finished
    assert results.step == 24
    assert results.scores["final/val/mean_iou"] == run.scores.mean_iou
    assert results.scores["final/val/dice/foreground"] == run.scores.of("foreground")
    assert run.model in results.files
    assert all(path.is_file() for path in (*results.files, *results.pictures))
    assert results.pictures


def test_without_trackers_nothing_is_written_and_nothing_runs(tmp_path):
    told = begin(tmp_path, settings={}, data={})
    with told:
        told.stepped(news(1))
        told.validated(validation(1))
        told.ended("")
        told.finished(None)

    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_an_error_before_anything_is_read(tmp_path):
    with pytest.raises(SettingError, match=r"Did you mean 'tensorboard'"):
        api.train(tmp_path / "no data", out=tmp_path / "run", track=["tensorbaord"])
    assert not (tmp_path / "run").exists()


def test_an_error_that_ends_the_run_is_told(mine, tmp_path):
    with pytest.raises(ZeroDivisionError), begin(tmp_path, ["mine"], settings={}, data={}) as told:  # noqa: PT012
        told.stepped(news(1))
        raise ZeroDivisionError("by zero")

    assert mine[-1] == ("fail", "ZeroDivisionError: by zero")


def test_a_resumed_run_needs_no_name_and_rows_beyond_the_checkpoint_are_taken_back(mine, tmp_path):
    first = begin(tmp_path, ["mine"], settings={}, data={})
    for step in range(1, 36):
        first.stepped(news(step))
    first.validated(validation(35))
    first.ended("killed")
    first._end(lambda tracker: None, LONG)
    second = begin(tmp_path, settings={}, data={})
    mine.clear()
    for step in range(14, 25):
        second.stepped(news(step, loss=0.25))
    second.ended("")
    second._end(lambda tracker: None, LONG)

    assert second.kept.id == first.kept.id
    told = [(row.step, row.values["step/loss"]) for what, row in mine if what == "row"]
    assert told == [(1, 0.5), (10, 0.5), (20, 0.25)]


def test_a_tracker_that_fails_or_hangs_costs_a_warning_and_not_the_training(mine, tmp_path, monkeypatch):
    @trackers.register("broken")
    class Broken(Tracker):
        """Has no server."""

        def open(self, run):
            raise ConnectionError("no route to host")

    @trackers.register("slow")
    class Slow(Tracker):
        """Takes for ever."""

        def log(self, rows):
            time.sleep(LONG)

    monkeypatch.setattr(tracking, "PATIENCE", 0.3)
    warnings = []
    told = begin(tmp_path, ["broken", "slow", "mine"], settings={}, data={}, warn=warnings.append)
    for step in range(1, 31):
        told.stepped(news(step))
    told.ended("")
    told.finished(None)

    assert steps(mine) == [1, 10, 20, 30]
    assert sum("broken fails (ConnectionError: no route to host)" in text for text in warnings) == 1
    assert sum("slow is still at work" in text for text in warnings) == 1


def test_a_full_disk_costs_one_warning(mine, tmp_path, monkeypatch):
    warnings = []
    told = begin(tmp_path, ["mine"], settings={}, data={}, warn=warnings.append)
    told.stepped(news(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tracking.Journal, "add", full)
    for step in range(2, 31):
        told.stepped(news(step))
    told._end(lambda tracker: None, LONG)

    (warning,) = warnings
    assert "tracked.jsonl could not be written" in warning


def test_the_option_reaches_the_training(monkeypatch, tmp_path):
    from typer.testing import CliRunner

    seen = {}
    monkeypatch.setattr(api, "train", lambda data, **options: seen.update(options))
    CliRunner().invoke(app, ["train", str(tmp_path), "--track", "mlflow", "--track", "wandb"])

    assert seen["track"] == ["mlflow", "wandb"]


@pytest.fixture(scope="module")
def resumed(paint_blobs, tmp_path_factory, tiny, empty_store):
    """A run of 48 steps with all trackers, killed at step 35 and resumed from step 13."""
    home = tmp_path_factory.mktemp("resumed")
    data, run = paint_blobs(home / "blobs"), home / "runs" / "one"
    run.parent.mkdir()
    shutil.copy(empty_store, run.parent / "mlflow.db")
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
            patched.delenv(name)
        patched.setenv("WANDB_MODE", "offline")
        patched.setenv("WANDB_SILENT", "true")
        for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
            patched.setenv(name, str(home / "wandb-own"))
        patched.setenv("OMP_NUM_THREADS", "1")
        patched.setenv(
            "PYTHONPATH", os.pathsep.join([str(Path(api.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        )
        settings = json.dumps({**tiny, "training.budget": {"steps": 48}, "checkpoint_seconds": 0.0})
        script = Path(__file__).with_name("killed.py")
        killed = subprocess.run(
            [sys.executable, script, data, run, settings], capture_output=True, text=True, check=False
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        warned = Warned()
        finished = api.resume(run, callbacks=[warned])
        assert warned.texts == []
        import wandb

        wandb.teardown()
    return finished


class Warned(Listener):
    def __init__(self):
        self.texts = []

    def warned(self, text):
        self.texts.append(text)


STEPS = [1, 10, 20, 30, 40]


@pytest.mark.slow
def test_tensorboard_shows_a_killed_and_resumed_run_as_one(resumed, events):
    found, scalars = events(resumed.folder / "tensorboard")

    assert [step for step, _ in scalars["step/loss"]] == STEPS
    rows = read_history(resumed.folder / "history.jsonl")
    assert scalars["val/mean_iou"] == [(row.step, pytest.approx(row.val_score)) for row in rows]
    assert scalars["final/val/mean_iou"] == [(48, pytest.approx(resumed.scores.mean_iou))]
    assert found.Tags()["images"]


@pytest.mark.slow
def test_mlflow_shows_a_killed_and_resumed_run_as_one(resumed):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{resumed.folder.parent / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("maskwright").experiment_id])
    assert run.info.status == "FINISHED"
    assert [m.step for m in client.get_metric_history(run.info.run_id, "step/loss")] == STEPS
    rows = read_history(resumed.folder / "history.jsonl")
    scores = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "val/mean_iou")]
    assert scores == [(row.step, pytest.approx(row.val_score)) for row in rows]
    assert run.data.metrics["final/val/mean_iou"] == pytest.approx(resumed.scores.mean_iou)
    assert "model.safetensors" in {file.path for file in client.list_artifacts(run.info.run_id)}


@pytest.mark.slow
def test_wandb_shows_a_killed_and_resumed_run_as_one(resumed, offline):
    (path,) = (resumed.folder / "wandb").glob("offline-run-*/*.wandb")
    rows = [record.history for record in offline(path) if record.WhichOneof("record_type") == "history"]
    losses = [
        row.step.num
        for row in rows
        if any("/".join(i.nested_key) == "step/loss" or i.key == "step/loss" for i in row.item)
    ]
    assert losses == STEPS


@pytest.mark.slow
def test_history_csv_says_the_same_as_history_jsonl(resumed):
    import csv

    with (resumed.folder / "history.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = read_history(resumed.folder / "history.jsonl")
    assert [int(row["step"]) for row in table] == [row.step for row in rows]
    assert [float(row["val_score"]) for row in table] == [row.val_score for row in rows]
