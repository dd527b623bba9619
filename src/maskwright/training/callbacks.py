"""What the loop tells those who listen. They may ask it to stop, nothing more."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from maskwright.records import Record, replacing


class HistoryRow(Record):
    """One line of `history.jsonl`: what was known after a validation. Losses and accuracies since the last one."""

    step: int
    epoch: float
    seconds: float
    rate: float
    train_loss: float
    train_accuracy: float | None = None
    """Of every tenth step's crops; None where fewer lie between two validations."""
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_score: float | None = None
    """Mean IoU at working size."""
    best: bool = False
    """Whether the weights of this moment are the best so far."""


class StepNews(Record):
    """After a step."""

    step: int
    total: int | None
    """None: the end is still open."""
    epoch: float
    loss: float
    images_per_second: float
    seconds_left: float | None
    score: float | None
    """Of the last validation."""
    rate: float | None = None
    """Of the decoder's kernels, where it is told."""


class Callback(Protocol):
    """Listens to a training. `stepped` may return True to ask for an early, clean end."""

    def started(self, about: dict[str, Any]) -> None:
        """Before the first step: epochs, steps, parameters, device."""

    def stepped(self, news: StepNews) -> bool | None:
        """After each step."""

    def validated(self, row: HistoryRow) -> None:
        """After each validation."""

    def noted(self, text: str) -> None:
        """Something has been decided while training."""

    def warned(self, text: str) -> None:
        """Something a person should know; training goes on."""

    def ended(self, reason: str) -> None:
        """After the last step."""


class Listener:
    """A callback that does nothing; the base of those that listen to a part."""

    def started(self, about: dict[str, Any]) -> None:
        """Nothing."""

    def stepped(self, news: StepNews) -> bool | None:
        """Nothing."""

    def validated(self, row: HistoryRow) -> None:
        """Nothing."""

    def noted(self, text: str) -> None:
        """Nothing."""

    def warned(self, text: str) -> None:
        """Nothing."""

    def ended(self, reason: str) -> None:
        """Nothing."""


class History:
    """`history.jsonl`: a row a validation, and beside it `history.csv`, the same as a table.

    After a restart the rows beyond the checkpoint are taken back, in both.

    writes: False keeps the rows in memory alone, as the processes do that help the first one.
    """

    def __init__(self, path: Path, rows: int = 0, *, writes: bool = True):
        self.path, self.writes = path, writes
        kept = path.read_text("utf-8").splitlines()[:rows] if rows and path.exists() else []
        self.rows = [HistoryRow.read(json.loads(line), str(path)) for line in kept]
        self._write()

    def add(self, row: HistoryRow) -> None:
        """Append a row, to the file too."""
        self.rows.append(row)
        self._write()

    def become(self, rows: list[HistoryRow]) -> None:
        """Hold these rows and no others."""
        self.rows = rows
        self._write()

    def _write(self) -> None:
        if not self.writes:
            return
        # As a whole, they are few: a disk that fills up would otherwise leave half a line before the next row.
        with replacing(self.path) as temporary:
            temporary.write_text("".join(f"{row.model_dump_json()}\n" for row in self.rows), "utf-8")
        write_table(self.path.with_suffix(".csv"), self.rows)


def write_table(path: Path, rows: Sequence[HistoryRow]) -> None:
    """The rows as CSV, written anew as a whole: they are few. What is not known is an empty cell."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(HistoryRow.model_fields), lineterminator="\n")
        table.writeheader()
        table.writerows(row.model_dump() for row in rows)


def read_history(path: Path) -> list[HistoryRow]:
    """The rows of a `history.jsonl`; a last line that was cut short by a kill is left out."""
    *whole, _ = path.read_text("utf-8").split("\n")
    return [HistoryRow.read(json.loads(line), str(path)) for line in whole]
