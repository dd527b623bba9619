"""Tells the trackers of a run what the loop tells: the callback that stands between them."""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from maskwright.errors import SettingError
from maskwright.records import Record
from maskwright.training.callbacks import HistoryRow, Listener, StepNews
from maskwright.training.tracking.feed import Feed
from maskwright.training.tracking.journal import NAME as JOURNAL
from maskwright.training.tracking.journal import Journal
from maskwright.training.tracking.registry import Results, Row, TrackedRun, Tracker, flat, trackers

NAME = "tracking.json"
EVERY = 10
"""Steps between two rows of a step's loss. Counted, not timed: a resumed run tells the same rows."""
PATIENCE = 300.0
"""Seconds that the end of a run waits for a tracker that is at work, e.g. at sending the model."""
PATIENCE_FAILING = 20.0
"""Seconds that it waits for one that has failed before."""


class Kept(Record):
    """`tracking.json`: who is told of a run, and by what name they know it. Nothing secret."""

    id: str
    trackers: dict[str, dict[str, Any]]
    """Tracker → what it asked to be remembered."""


class Tracking(Listener):
    """A callback that tells trackers of a run. As a context it tells them of an error that ends the run.

    run: the run; `place` is filled in for each tracker. made: name → tracker. warn: told what goes wrong with them.
    """

    def __init__(
        self, run: TrackedRun, made: Mapping[str, Tracker], kept: Kept, warn: Callable[[str], None] = lambda text: None
    ):
        self.run, self.made, self.kept, self.warn = run, made, kept, warn
        self._feeds: list[Feed] = []
        self._journal: Journal | None = None
        self._full = False

    def stepped(self, news: StepNews) -> None:
        """A row every ten steps. The first news says where a resumed run goes on: later rows are taken back."""
        if not self.made:
            return
        journal = self._journal or self._begin(news.step)
        if news.step % EVERY == 0 or news.step == 1:
            values = {"step/loss": news.loss}
            if news.images_per_second:  # not known in the first steps
                values["step/images_per_second"] = news.images_per_second
            if news.rate is not None:
                values["step/rate"] = news.rate
            self._add(journal, Row(step=news.step, time=time.time(), values=values))
        elif journal.close(news.step):
            self._wake()
        self._complain()

    def validated(self, row: HistoryRow) -> None:
        """A row a validation; that of the same step, if there is one, gains its values."""
        if not self.made:
            return
        journal = self._journal or self._begin(row.step)
        named = {
            "train/loss": row.train_loss,
            "train/accuracy": row.train_accuracy,
            "train/rate": row.rate,
            "train/epoch": row.epoch,
            "val/loss": row.val_loss,
            "val/accuracy": row.val_accuracy,
            "val/mean_iou": row.val_score,
        }
        values = {name: value for name, value in named.items() if value is not None}
        self._add(journal, Row(step=row.step, time=time.time(), values=values))

    def ended(self, reason: str) -> None:
        """The last row is complete."""
        if self._journal is not None and self._journal.close():
            self._wake()

    def finished(self, results: Results) -> None:
        """The run is over, or was interrupted; waits until the trackers have been told everything."""
        if not self.made:
            return
        if self._journal is None:  # it was resumed with nothing left to do
            self._begin(None)
        self._end(lambda tracker: tracker.finish(results), PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            self._end(lambda tracker: tracker.fail(reason), PATIENCE_FAILING)

    def _begin(self, step: int | None) -> Journal:
        """Open the journal, and the trackers with it. step: the first that will be told; None: none will."""
        journal = self._journal = Journal(self.run.folder / JOURNAL, before=step)
        self._written(journal.save)
        for name, tracker in self.made.items():
            run = self.run.model_copy(update={"place": self.kept.trackers[name]})
            self._feeds.append(Feed(name, tracker, run, journal.rows))
        return journal

    def _add(self, journal: Journal, row: Row) -> None:
        self._written(lambda: journal.add(row))
        self._wake()

    def _written(self, write: Callable[[], None]) -> None:
        """A full disk costs what was to be written, not the training."""
        try:
            write()
        except OSError as error:
            if not self._full:
                self.warn(f"{JOURNAL} could not be written ({error}). Free some space; training goes on.")
            self._full = True
        else:
            self._full = False

    def _wake(self) -> None:
        for feed in self._feeds:
            feed.wake()

    def _complain(self) -> None:
        for feed in self._feeds:
            for text in feed.complaints():
                self.warn(text)

    def _end(self, last: Callable[[Tracker], None], patience: float) -> None:
        for feed in self._feeds:
            feed.end(last)
        until = time.monotonic() + patience
        for feed in self._feeds:
            left = min(until - time.monotonic(), PATIENCE_FAILING if feed.failing else patience)
            if not feed.wait(max(0.0, left)):
                self.warn(
                    f"The tracker {feed.name} is still at work; it is left alone, and may lack the end of the run."
                )
        self._complain()


def demand(names: Iterable[str]) -> None:
    """Nothing, if each of these trackers is known and can be used here.

    Raises:
        SettingError: one is unknown (names the nearest), or lacks its package, or something else; says what to do.
    """
    for name in names:
        try:
            trackers[name]().demand()
        except SettingError as error:
            raise SettingError(f"--track {name}: {error}") from error


def named(folder: Path) -> tuple[str, ...]:
    """The trackers that a run was told to, by name."""
    path = folder / NAME
    return tuple(Kept.load(path).trackers) if path.is_file() else ()


def begin(
    folder: Path,
    names: Iterable[str] = (),
    *,
    settings: Mapping[str, Any],
    data: Mapping[str, Any],
    notes: Sequence[str] = (),
    warn: Callable[[str], None] = lambda text: None,
) -> Tracking:
    """A callback that tells the named trackers of the run in a folder, and those that were told of it before.

    settings, data: nested mappings, e.g. of the plan and the fingerprint.

    Raises:
        SettingError: one of them cannot be used here.
    """
    path = folder / NAME
    kept = Kept.load(path) if path.is_file() else Kept(id=secrets.token_hex(4), trackers={})
    new = [name for name in dict.fromkeys(names) if name not in kept.trackers]
    demand([*kept.trackers, *new])
    made = {name: trackers[name]() for name in [*kept.trackers, *new]}
    if new:
        places = {name: made[name].place(folder) for name in new}
        kept = kept.model_copy(update={"trackers": {**kept.trackers, **places}})
        kept.save(path)
    run = TrackedRun(
        folder=folder.resolve(),
        id=kept.id,
        name=folder.resolve().name,
        settings=flat(settings),
        data=flat(data),
        notes=tuple(notes),
    )
    return Tracking(run, made, kept, warn)
