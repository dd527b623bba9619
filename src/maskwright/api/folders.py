"""A run's folder: what lies in it while it is begun, stopped and finished."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from maskwright.api.looking import Inspection
from maskwright.data.room import is_full
from maskwright.errors import CheckpointError, SettingError
from maskwright.evaluation import Scores
from maskwright.evaluation.gallery import Gallery
from maskwright.plan import Plan
from maskwright.records import is_half_written, sync_folder
from maskwright.training import lock
from maskwright.training.job import Outcome

UNFINISHED: Final = "unfinished"
"""A file that lies in a run's folder from the first to the last moment of the run."""
INTERRUPTED: Final = "interrupted"
"""A file that lies beside it when the training was stopped, and says why."""
BEGUN: Final = ("samples.json", "fingerprint.json", "plan.yaml")
"""What a run begins with, in that order."""


def new_folder(out: str | Path | None, data: object) -> Path:
    """A folder for the run that holds nothing yet."""
    if out is not None:
        folder = Path(out)
        if folder.exists():
            demand_nothing(folder)
        return folder
    name = Path(data.samples.root if isinstance(data, Inspection) else str(data)).resolve().stem
    numbered = (Path("runs") / f"{name}-{n}" for n in range(1, 100_000))
    return next(folder for folder in numbered if not folder.exists())


def demand_nothing(folder: Path) -> None:
    """Nothing, if a run may begin in a folder.

    Raises:
        SettingError: there is something in it.
    """
    if not holds_nothing(folder):
        raise SettingError(
            f"{folder} is there already and not empty. Give another --out, or go on with it: --resume {folder}"
        )


def holds_nothing(folder: Path) -> bool:
    """Whether a folder is empty, but for what a run left that was killed before it had a plan."""
    debris = {*BEGUN[:-1], UNFINISHED, lock.NAME}
    return folder.is_dir() and all(path.name in debris or is_half_written(path) for path in folder.iterdir())


def begin(folder: Path) -> None:
    """Say in the folder that it is not finished."""
    (folder / UNFINISHED).write_text(f"At work, or stopped. Go on with: {again_with(folder)}\n", "utf-8")


def mark(folder: Path, outcome: Outcome) -> None:
    """Say in the folder that the training was stopped and why, or no longer."""
    marker = folder / INTERRUPTED
    if outcome.finished:
        marker.unlink(missing_ok=True)
    else:
        text = f"The training was stopped: {outcome.reason}. Go on with: {again_with(folder)}\n"
        with suppress(OSError):  # on a full disk the model needs the room more
            marker.write_text(text, "utf-8")


@contextmanager
def said_when_full(folder: Path) -> Iterator[None]:
    """A block that writes into a run's folder; if the disk is full, the error says what to do.

    Raises:
        CheckpointError: it is.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise CheckpointError(
            f"The disk of {folder} is full ({error.strerror}: {error.filename or 'a file'}). Free some space, then go "
            f"on: {again_with(folder)}"
        ) from error


def again_with(folder: Path) -> str:
    """The command that goes on with a run."""
    return f"maskwright train --resume {folder}"


def found(folder: Path, seen: Inspection, decided: Plan) -> None:
    """Write what a run begins with.

    Raises:
        CheckpointError: the disk is full.
    """
    with said_when_full(folder):
        begin(folder)
        for name, record in zip(BEGUN, (seen.samples, seen.fingerprint, decided), strict=True):
            record.save(folder / name)
        sync_folder(folder)


def is_stopped(folder: Path) -> bool:
    """Whether a run that was begun there has more to do."""
    return any((folder / marker).exists() for marker in (UNFINISHED, INTERRUPTED))


def keep_scores(run: Path, scores: Scores, gallery: Gallery) -> None:
    """Write the scores of a part, and its pictures anew."""
    scores.save(run / f"scores-{scores.split}.json")
    with suppress(FileNotFoundError):
        shutil.rmtree(run / "pictures" / scores.split)
    gallery.write(run / "pictures" / scores.split)


def brief(scores: Scores) -> dict[str, Any]:
    """The scores as a model file keeps them."""
    return scores.model_dump(exclude={"per_image", "confusion"}, mode="json")
