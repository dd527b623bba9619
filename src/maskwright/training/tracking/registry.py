"""The open list of trackers, and what they are told."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from maskwright.errors import SettingError
from maskwright.records import Record
from maskwright.registry import Registry


class Row(Record):
    """Numbers that belong to one step: `step/loss`, `step/images_per_second`, `train/loss`, `val/mean_iou` …"""

    step: int
    """Counted from 1; no two rows of a run have the same."""
    time: float
    """Seconds since 1970 when it was known; the same when a row is told again."""
    values: dict[str, float]


class TrackedRun(Record):
    """A training, as its trackers see it."""

    folder: Path
    id: str
    """Eight letters and digits that no other run has; kept through restarts."""
    name: str
    place: dict[str, Any] = {}
    """What the tracker asked to be remembered."""
    settings: dict[str, str | int | float | bool | None] = {}
    """Every setting of the plan by its dotted key: the hyper-parameters."""
    data: dict[str, str | int | float | bool | None] = {}
    """The fingerprint, by dotted keys too."""
    notes: tuple[str, ...] = ()
    """What was said of the data while they were read."""


class Results(Record):
    """How a training ended."""

    reason: str
    finished: bool
    """False where it was interrupted and can go on."""
    step: int
    scores: dict[str, float] = {}
    """Of the validation part, at the images' own size: `final/val/mean_iou`, `final/val/dice/nucleus` …"""
    pictures: tuple[Path, ...] = ()
    """Images with their true and predicted masks."""
    files: tuple[Path, ...] = ()
    """The model, the plan, the report."""


class Tracker:
    """Told of one run, in a thread of its own: it may be slow, or fail, and training goes on. This one does nothing;
    derive from it and register the class. An object is made for each run, without arguments.

    When a method raises, the error's text becomes a warning; a while later `open` is called again.
    """

    package: ClassVar[str] = ""
    """The module that it needs."""
    extra: ClassVar[str] = "track"
    """The extra of ours that brings it."""

    def demand(self) -> None:
        """Nothing, if it can be used here. Asked in the main thread, before long work.

        Raises:
            SettingError: its package is missing, or it wants something first; says what to do.
        """
        if not self.package:
            return
        try:
            importlib.import_module(self.package)
        except ImportError as error:
            raise SettingError(
                f"This tracker needs the package {self.package}: `pip install maskwright[{self.extra}]`. ({error})"
            ) from error

    def place(self, folder: Path) -> dict[str, Any]:
        """Where a new run will be kept, as plain values; `tracking.json` in the run's folder remembers it."""
        return {}

    def open(self, run: TrackedRun) -> int:
        """Begin the run, or go on with it if the tool knows it by its id.

        Returns the last step whose row the tool holds already, and 0 if none: all rows after it follow.
        """
        return 0

    def log(self, rows: Sequence[Row]) -> None:
        """Take in some rows, in the order of steps."""

    def finish(self, results: Results) -> None:
        """The run has ended, or was interrupted by a person; all rows have been told."""

    def fail(self, reason: str) -> None:
        """The run has ended by an error."""


trackers: Registry[type[Tracker]] = Registry("tracker", "maskwright.training.tracking")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool | None]:
    """Nested mappings with dotted keys; lists become text.

    >>> flat({"model": {"depth": 3, "widths": [8, 16]}})
    {'model.depth': 3, 'model.widths': '[8, 16]'}
    """
    found: dict[str, str | int | float | bool | None] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value if isinstance(value, str | int | float | bool | None) else str(value)
    return found
