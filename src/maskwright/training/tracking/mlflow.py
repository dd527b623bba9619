"""MLflow: the server that it is set to, or a local store beside the run."""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from maskwright.training.tracking.registry import Results, Row, TrackedRun, Tracker, trackers

TAG: Final = "maskwright.id"
PARAMETERS = 100
"""That a server takes at once."""
LONGEST = 500
"""Letters of a parameter that every server takes."""


@trackers.register("mlflow")
class MLflow(Tracker):
    """Metrics, parameters and files of a run, on the server of `MLFLOW_TRACKING_URI`, else in `mlflow.db` and `mlruns`
    beside the run's folder: runs in one folder can be compared. The experiment is `MLFLOW_EXPERIMENT_NAME`, or
    `maskwright`.

    The local store is SQLite, because MLflow retires its plain files. A run that goes on finds itself by a tag, and
    tells only the steps after the last one that is there.
    """

    package = "mlflow"

    def place(self, folder: Path) -> dict[str, Any]:
        """The server without its password, or None for the local store; and the experiment."""
        uri = _uri()
        return {
            "uri": uri and _without_password(uri),
            "experiment": os.environ.get("MLFLOW_EXPERIMENT_NAME") or "maskwright",
        }

    def open(self, run: TrackedRun) -> int:
        """The run of that tag, or a new one."""
        # Asked for was this store, not that its makers learn of it.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient(tracking_uri=_store(run))
        experiment = self._experiment(run)
        found = self._client.search_runs([experiment], f"tags.`{TAG}` = '{run.id}'", max_results=1)
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
        else:
            tags = {TAG: run.id, "mlflow.note.content": "\n\n".join(run.notes)[:5000]}
            self._id = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
        # A parameter cannot be changed: where a plan was edited between two starts, the first stands.
        there = found[0].data.params if found else {}
        data = {f"data.{name}": value for name, value in run.data.items()}
        missing = [
            Param(_allowed(name), str(value)[:LONGEST])
            for name, value in {**run.settings, **data}.items()
            if _allowed(name) not in there
        ]
        for start in range(0, len(missing), PARAMETERS):
            self._client.log_batch(self._id, params=missing[start : start + PARAMETERS])
        return self._last_step(found[0].data.metrics) if found else 0

    def log(self, rows: Sequence[Row]) -> None:
        """All values in one request: each row is there as a whole, or not at all."""
        from mlflow.entities import Metric

        self._client.log_batch(
            self._id,
            metrics=[
                Metric(_allowed(name), value, int(row.time * 1000), row.step)
                for row in rows
                for name, value in row.values.items()
            ],
        )

    def finish(self, results: Results) -> None:
        """Scores, pictures and files; then the run is finished, or killed if it can go on."""
        from mlflow.entities import Metric, RunTag

        now = self._client.get_run(self._id).info.start_time
        metrics = [Metric(_allowed(name), value, now, results.step) for name, value in results.scores.items()]
        for start in range(0, len(metrics), 500):
            self._client.log_batch(self._id, metrics=metrics[start : start + 500])
        self._client.log_batch(self._id, tags=[RunTag("maskwright.ended", results.reason)])
        for path in results.pictures:
            self._client.log_artifact(self._id, str(path), "pictures")
        for path in results.files:
            self._client.log_artifact(self._id, str(path))
        self._client.set_terminated(self._id, "FINISHED" if results.finished else "KILLED")

    def fail(self, reason: str) -> None:
        """The run has failed."""
        self._client.set_tag(self._id, "maskwright.ended", reason[:5000])
        self._client.set_terminated(self._id, "FAILED")

    def _experiment(self, run: TrackedRun) -> str:
        name = run.place["experiment"]
        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        files = None if run.place["uri"] else (run.folder.parent / "mlruns").as_uri()
        return str(self._client.create_experiment(name, artifact_location=files))

    def _last_step(self, metrics: Mapping[str, float]) -> int:
        """The last step of which there is a row. The scores of an end do not count."""
        rows = [name for name in metrics if not name.startswith("final/")]
        return max((m.step for name in rows for m in self._client.get_metric_history(self._id, name)), default=0)


def _uri() -> str | None:
    """The server or store that MLflow was set to, by its environment variable or by a program; None: nothing was."""
    import mlflow

    return mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None


def _store(run: TrackedRun) -> str:
    """Where the run is kept; the password is in the environment, if there is one."""
    kept = run.place["uri"]
    if kept is None:
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it would tell of its tables
        return f"sqlite:///{run.folder.parent / 'mlflow.db'}"
    now = _uri()
    return now if now and _without_password(now) == kept else str(kept)


def _without_password(uri: str) -> str:
    user, at, _ = urlsplit(uri).netloc.rpartition("@")
    return uri.replace(user + at, "", 1) if at else uri


def _allowed(name: str) -> str:
    """A name with only the letters that MLflow allows; classes may be called anything."""
    return re.sub(r"[^\w\-. /:]", "_", name, flags=re.ASCII)[:250]
