import shutil

import pytest

from maskwright.training.tracking import mlflow
from maskwright.training.tracking.mlflow import MLflow

# MLflow 3.17 with SQLAlchemy 2.1, both of them others'.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def run(run_of, empty_store, monkeypatch):
    """A run that asked MLflow for its place, with nothing set."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    run = run_of()
    shutil.copy(empty_store, run.folder.parent / "mlflow.db")
    return run.model_copy(update={"place": MLflow().place(run.folder)})


def reader(run):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{run.folder.parent / 'mlflow.db'}")


def only(run, experiment="maskwright"):
    client = reader(run)
    (found,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return found


def history(run, key):
    client = reader(run)
    return [(m.step, m.value) for m in client.get_metric_history(only(run).info.run_id, key)]


def test_metrics_parameters_and_files_are_in_the_store_beside_the_run(run, rows, results):
    tracker = MLflow()
    assert tracker.open(run) == 0
    tracker.log(rows(1, 10))
    assert only(run).info.status == "RUNNING"
    tracker.finish(results)

    found = only(run)
    assert (found.info.run_name, found.info.status) == ("one", "FINISHED")
    assert found.data.params == {
        "seed": "0",
        "model.depth": "3",
        "training.ema": "None",
        "sampling.crop": "[16, 16]",
        "data.train": "6",
        "data.channels": "1",
    }
    assert found.data.tags["mlflow.note.content"] == "folders images/ and masks/"
    assert history(run, "step/loss") == [(1, 1.0), (10, 0.1)]
    assert found.data.metrics["final/val/mean_iou"] == 0.75
    assert found.data.metrics["final/val/dice/Zellkern _ä_".replace("ä", "_")] == 0.5
    files = {f.path for f in reader(run).list_artifacts(found.info.run_id)}
    assert files == {"model.safetensors", "pictures"}
    assert (run.folder.parent / "mlruns").is_dir()


def test_a_killed_run_goes_on_in_the_same_run_and_says_how_far_it_came(run, rows, results):
    killed = MLflow()
    killed.open(run)
    killed.log(rows(1, 10, 20))
    edited = run.model_copy(update={"settings": {**run.settings, "model.depth": 4, "new": 1}})
    again = MLflow()

    assert again.open(edited) == 20, "what lies behind is not told again"
    again.log(rows(30))
    again.finish(results.model_copy(update={"finished": False}))

    assert [step for step, _ in history(run, "step/loss")] == [1, 10, 20, 30]
    assert only(run).info.status == "KILLED"
    assert only(run).data.params["model.depth"] == "3", "MLflow lets no parameter change"
    assert only(run).data.params["new"] == "1"
    third = MLflow()
    assert third.open(run) == 30, "the scores of an end are no rows"
    third.fail("TrainingError: the loss is nan")
    assert only(run).info.status == "FAILED"


def test_its_own_variables_choose_server_and_experiment_and_no_password_is_kept(run, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://anna:secret@tracking.example:5000/x")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "cells")
    place = MLflow().place(run.folder)
    assert place == {"uri": "https://tracking.example:5000/x", "experiment": "cells"}

    kept = run.model_copy(update={"place": place})
    assert mlflow._store(kept) == "https://anna:secret@tracking.example:5000/x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://elsewhere.example")
    assert mlflow._store(kept) == place["uri"], "the run is where it began"


def test_a_server_that_is_away_is_an_error_for_the_feed_to_catch(run, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = run.model_copy(update={"place": {"uri": "http://127.0.0.1:9", "experiment": "x"}})

    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        MLflow().open(away)
