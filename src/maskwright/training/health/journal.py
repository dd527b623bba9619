"""`health.jsonl`: what the monitor told, a line each. After a restart lines beyond the checkpoint are taken back."""

import json
from pathlib import Path
from typing import Literal

from maskwright.records import Record, replacing
from maskwright.training.health.registry import Finding

NAME = "health.jsonl"


class HealthRow(Record):
    """One line: a finding that begins, grows worse, or is over."""

    step: int
    epoch: float
    state: Literal["begun", "worse", "over"]
    finding: Finding


class Journal:
    """The lines of a run, in its folder."""

    def __init__(self, path: Path, rows: int = 0, *, writes: bool = True):
        self.path, self.writes = path, writes
        self.rows: list[HealthRow] = read_health(path)[:rows] if rows and path.exists() else []
        if writes:
            with replacing(path) as temporary:
                temporary.write_text("".join(row.model_dump_json() + "\n" for row in self.rows), "utf-8")

    def add(self, row: HealthRow) -> None:
        """Append a line, to the file too."""
        self.rows.append(row)
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(row.model_dump_json() + "\n")


def read_health(path: Path) -> list[HealthRow]:
    """The lines of a `health.jsonl`; a last one that was cut short by a kill is left out."""
    *whole, _ = path.read_text("utf-8").split("\n")
    return [HealthRow.read(json.loads(line), str(path)) for line in whole]
