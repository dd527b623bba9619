"""Trials as records, and the table of them."""

import csv
import math
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from maskwright.records import Record, replacing

State = Literal["finished", "pruned", "refused", "failed", "running"]


class Trial(Record):
    """One trial of a search: what it changed, and how well it did."""

    number: int
    """From 0, which is the plan as it stands."""
    state: State
    """pruned: ended early because it did worse than most. refused: the plan does not allow the combination."""
    score: float | None = None
    """Mean IoU of the validation images at working size: of the best weights, or of a pruned trial the last one."""
    seconds: float = 0.0
    settings: dict[str, Any] = {}
    """By full dotted key, as in the plan."""
    said: str = ""
    """Why it ended as it did, where that is not plain."""

    @property
    def changes(self) -> str:
        """The settings in a few words."""
        shown = (f"{key.removeprefix('training.')} {_short(value)}" for key, value in self.settings.items())
        return ", ".join(shown) or "the plan as it stands"


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """The finished ones, the best first and of equals the earlier; then the others, by number."""
    done = sorted(trials, key=lambda trial: trial.number)
    scored = [trial for trial in done if trial.state == "finished"]
    return [
        *sorted(scored, key=lambda trial: -_value(trial)),
        *(trial for trial in done if trial.state != "finished"),
    ]


def best(trials: Iterable[Trial]) -> Trial | None:
    """The finished trial with the highest score; None if there is none."""
    return next((trial for trial in ranked(trials) if trial.state == "finished"), None)


def write_table(path: Path, trials: Sequence[Trial]) -> None:
    """Write `trials.csv`: a row a trial, a column a setting; empty where a trial left the plan's value."""
    keys = list(dict.fromkeys(key for trial in trials for key in trial.settings))
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", "state", "mean_iou", "seconds", *keys, "said"])
    for trial in sorted(trials, key=lambda trial: trial.number):
        score = "" if trial.score is None else f"{trial.score:.6f}"
        values = [trial.settings.get(key, "") for key in keys]
        rows.writerow([trial.number, trial.state, score, f"{trial.seconds:.1f}", *values, trial.said])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), "utf-8")


def _value(trial: Trial) -> float:
    return -math.inf if trial.score is None else trial.score


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
