import json

import pytest

from maskwright.errors import SettingError
from maskwright.training.tracking import demand
from maskwright.training.tracking.wandb import WandB


@pytest.fixture
def run(run_of, tmp_path, monkeypatch):
    """A run that asked for its place, offline."""
    for name in ("WANDB_PROJECT", "WANDB_ENTITY", "WANDB_DIR", "WANDB_NAME", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-own"))
    run = run_of()
    yield run.model_copy(update={"place": WandB().place(run.folder)})
    import wandb

    wandb.teardown()  # its process keeps the settings it was started with


def records(run, offline):
    import wandb

    wandb.teardown()  # `finish` comes back before its process has written everything
    (path,) = (run.folder / "wandb").glob("offline-run-*/run-ab12cd34.wandb")
    found = list(offline(path))
    rows = [r.history for r in found if r.WhichOneof("record_type") == "history"]
    return found, [
        (h.step.num, {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in h.item}) for h in rows
    ]


def test_rows_settings_and_scores_are_in_the_offline_file(run, rows, results, offline):
    tracker = WandB()
    tracker.demand()
    assert tracker.open(run) == 0
    tracker.log(rows(1, 10))
    tracker.log(rows(20))
    tracker.finish(results)

    found, history = records(run, offline)
    assert [(step, values["step/loss"]) for step, values in history[:3]] == [(1, 1.0), (10, 0.1), (20, 0.05)]
    assert history[3][0] == 30
    assert history[3][1]["pictures/best-1/_type"] == "image-file"
    (start,) = [r.run for r in found if r.WhichOneof("record_type") == "run"]
    assert (start.run_id, start.display_name, start.project) == ("ab12cd34", "one", "maskwright")
    config = {u.key or "/".join(u.nested_key): u.value_json for u in start.config.update}
    assert config["model.depth"] == "3"
    summary = {i.key or "/".join(i.nested_key): i.value_json for r in found for i in r.summary.update}
    assert summary["final/val/mean_iou"] == "0.75"
    (exited,) = [r.exit for r in found if r.WhichOneof("record_type") == "exit"]
    assert exited.exit_code == 0
    (files,) = (run.folder / "wandb").glob("offline-run-*/files")
    assert (files / "model.safetensors").read_bytes() == b"weights"


def test_a_killed_run_is_written_anew_as_a_whole_under_its_id(run, rows, offline):
    import wandb

    killed = WandB()
    killed.open(run)
    killed.log(rows(1, 10, 20, 30))
    killed._run.finish(exit_code=1)
    wandb.teardown()
    again = WandB()
    assert again.open(run) == 0, "it is told everything anew"
    again.log(rows(1, 10, 20))
    again.fail("TrainingError: the loss is nan")

    found, history = records(run, offline)
    assert [step for step, _ in history] == [1, 10, 20]
    (exited,) = [r.exit for r in found if r.WhichOneof("record_type") == "exit"]
    assert exited.exit_code == 1


def test_what_was_synced_is_not_deleted(run, rows):
    first = WandB()
    first.open(run)
    first.log(rows(1))
    first.fail("")
    (part,) = (run.folder / "wandb").glob("offline-run-*")
    (part / "run-ab12cd34.wandb.synced").touch()
    renamed = part.rename(part.with_name("offline-run-20200101_000000-ab12cd34"))
    again = WandB()
    again.open(run)
    again.fail("")

    assert renamed.is_dir()


def test_online_without_a_key_is_an_error_before_long_work(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    import wandb

    wandb.teardown()
    with pytest.raises(SettingError, match=r"--track wandb: .*wandb login.*WANDB_MODE=offline"):
        demand(["wandb"])


def test_its_own_variables_choose_project_and_place(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_PROJECT", "cells")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "there"))

    assert WandB().place(run.folder) == {"project": "cells", "entity": None, "dir": str(tmp_path / "there")}
