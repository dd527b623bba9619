"""`tracked.jsonl`: every row that the trackers were told, so that after a restart they can be told what they missed.

A killed process takes with it what its trackers have not written or sent yet, minutes of it with some tools.
"""

import json
from pathlib import Path

from maskwright.records import replacing
from maskwright.training.tracking.registry import Row

NAME = "tracked.jsonl"


class Journal:
    """The rows of a run, in the order of steps, in memory and in the file.

    path: the file. before: rows of this step and later ones are taken back; None: none are.
    """

    def __init__(self, path: Path, before: int | None = None):
        self.path = path
        self.rows = [row for row in _merged(path) if before is None or row.step < before]
        """Those that are complete. Only ever appended to: other threads read it."""
        self._open: Row | None = None
        self._torn = True  # what is in the file is not what is in memory

    def save(self) -> None:
        """Write all rows anew, atomically.

        Raises:
            OSError: the file cannot be written.
        """
        rows = [*self.rows, *([self._open] if self._open else [])]
        with replacing(self.path) as temporary:
            temporary.write_text("".join(f"{row.model_dump_json()}\n" for row in rows), "utf-8")
        self._torn = False

    def add(self, row: Row) -> None:
        """Write the row down. It stays open to more values of the same step until another step's, or `close`.

        Raises:
            OSError: the file cannot be written; the row is kept in memory, and in the file when it can be again.
        """
        if self._open is not None and self._open.step == row.step:
            self._open = self._open.model_copy(update={"values": {**self._open.values, **row.values}})
        else:
            self.close(row.step)
            self._open = row
        if self._torn:
            return self.save()
        self._torn = True  # until the line is whole
        with self.path.open("a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")
        self._torn = False

    def close(self, step: int | None = None) -> bool:
        """Complete the open row, unless it is of this step. Returns whether there was one to complete."""
        if self._open is None or self._open.step == step:
            return False
        self.rows.append(self._open)
        self._open = None
        return True


def _merged(path: Path) -> list[Row]:
    """The rows of a file, one a step; lines cut short by a kill or a full disk are left out."""
    found: dict[int, Row] = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            row = Row.model_validate(json.loads(line))
        except ValueError:
            continue
        values = {**found[row.step].values, **row.values} if row.step in found else row.values
        found[row.step] = row.model_copy(update={"values": values})
    return [found[step] for step in sorted(found)]
