"""Weights & Biases: online, offline or disabled, as its own settings say."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maskwright.errors import SettingError
from maskwright.training.tracking.registry import Results, Row, TrackedRun, Tracker, trackers


@trackers.register("wandb")
class WandB(Tracker):
    """A run of Weights & Biases; project, entity, name, mode and place are those of its variables (`WANDB_PROJECT`,
    `WANDB_MODE=offline` …), the project else `maskwright`, the place else the run's folder.

    A run that goes on online tells what the server lacks. Offline nothing can be added to a run, and a killed process
    leaves its last rows unwritten; so the run is written anew as a whole, under the same id, and the parts of it that
    were not synced yet are deleted. One that was synced is written over by the next `wandb sync`.
    """

    package = "wandb"
    _run: Any = None

    def demand(self) -> None:
        """Its package, and online a key: it asks for one on a terminal."""
        super().demand()
        import wandb

        if _mode() != "online":
            return
        try:
            known = wandb.login()
        except wandb.errors.Error as error:
            raise SettingError(_NO_KEY) from error
        if not known:
            raise SettingError(_NO_KEY)

    def place(self, folder: Path) -> dict[str, Any]:
        """Project, entity, and where its files are."""
        return {
            "project": os.environ.get("WANDB_PROJECT") or "maskwright",
            "entity": os.environ.get("WANDB_ENTITY") or None,
            "dir": os.environ.get("WANDB_DIR") or None,
        }

    def open(self, run: TrackedRun) -> int:
        """The run of that id, on the server, or as new files."""
        import wandb

        if self._run is not None:  # it failed
            self._run.finish(exit_code=1)
        place = Path(run.place["dir"] or run.folder)
        place.mkdir(parents=True, exist_ok=True)
        offline = _mode() == "offline"
        if offline:
            for part in (place / "wandb").glob(f"offline-run-*-{run.id}"):
                if not any(part.glob("*.synced")):
                    shutil.rmtree(part)
        self._run = wandb.init(
            project=run.place["project"],
            entity=run.place["entity"],
            id=run.id,
            name=os.environ.get("WANDB_NAME") or run.name,
            dir=str(place),
            notes="\n\n".join(run.notes) or None,
            config={**run.settings, **{f"data.{name}": value for name, value in run.data.items()}},
            resume=None if offline else "allow",
            # What is printed belongs to the terminal, where a progress bar may stand.
            # And a run of the user's own in this process is not ours to end.
            settings=wandb.Settings(console="off", reinit="create_new"),
        )
        return 0 if offline else max(0, self._run.starting_step - 1)

    def log(self, rows: Sequence[Row]) -> None:
        """A step a row."""
        for row in rows:
            self._run.log(row.values, step=row.step)

    def finish(self, results: Results) -> None:
        """Scores as the run's summary, pictures, and the model with plan and report as its files."""
        import wandb

        if results.pictures:
            shown = {f"pictures/{path.stem}": wandb.Image(str(path)) for path in results.pictures}
            self._run.log(shown, step=max(results.step, self._run.step))
        self._run.summary.update({**results.scores, "ended": results.reason})
        for path in results.files:
            self._run.save(str(path), base_path=str(path.parent), policy="now")
        self._run.finish(exit_code=0)

    def fail(self, reason: str) -> None:
        """The run has failed."""
        self._run.summary.update({"ended": reason})
        self._run.finish(exit_code=1)


_NO_KEY = (
    "Weights & Biases knows no key of yours. Run `wandb login`, or set WANDB_API_KEY; or keep the run here with "
    "WANDB_MODE=offline."
)


def _mode() -> str:
    import wandb

    return str(wandb.setup().settings.mode)
