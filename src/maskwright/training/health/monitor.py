"""The monitor: gathers what is seen of a training, asks the causes, and says what they find once."""

import math
import time
from collections.abc import Iterable, Iterator
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import torch

from maskwright.data.dataset import Batch
from maskwright.errors import DataError, SettingError
from maskwright.metrics import Confusion
from maskwright.records import IGNORED
from maskwright.training.callbacks import HistoryRow
from maskwright.training.health import replay
from maskwright.training.health.journal import NAME, HealthRow, Journal
from maskwright.training.health.registry import Finding, codes, examine
from maskwright.training.health.seen import Moment, Seen, Setup, Strange, Validated, Window
from maskwright.training.vitals import EVERY, Vitals

if TYPE_CHECKING:
    from maskwright.plan import Plan
    from maskwright.training.job import Job
    from maskwright.training.step import Step, Stepped

WARM: Final = 10
"""Steps whose times tell nothing: memory is allocated, workers start."""
QUIET: Final = 3
"""Looks in a row that must find nothing before a finding is over."""
MOST: Final = 4
"""Lines about one code: what comes and goes is not told for ever."""
WORSE: Final = 2.0
"""Times the strength that was told."""
CHANGING: Final = frozenset({"steps", "validation", "end"})
"""When what was found may also be over."""
_RANK: Final = {"note": 0, "warning": 1, "error": 2}


def demand_healthy(plan: "Plan") -> None:
    """Nothing, if nothing in the plan makes training impossible.

    Raises:
        SettingError: something does; says what to set.
    """
    _refuse(examine(Seen(Setup.of_plan(plan)), "start"))


class Monitor:
    """Watches one training and keeps `health.jsonl`. What it says is a function of what it saw, which a checkpoint
    keeps: a resumed run says what an uninterrupted one would have. Only times are measured anew.

    rows: lines of the journal that a checkpoint knows.
    """

    def __init__(self, job: "Job", rows: int = 0):
        self.job = job
        self.seen = Seen(Setup.of(job))
        self.journal = Journal(job.folder / NAME, rows, writes=job.world.first)
        self._told: dict[str, dict[str, Any]] = {}
        self._news: list[str] = []
        self._recent: list[tuple[float, float]] = []
        self._vitals: Vitals | None = None
        self._waiting = self._working = 0.0
        self._steps = 0

    def start(self) -> None:
        """Look at the set-up.

        Raises:
            SettingError: no training can come of it.
        """
        found = examine(self.seen, "start")
        _refuse(found)
        if not self._steps and not self.seen.windows:
            self._tell(found, "start")

    def news(self) -> list[str]:
        """What is to be said to those who listen; each thing once."""
        news, self._news = self._news, []
        return news

    def watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, none with labels that are no class; how long each was waited for is measured.

        Raises:
            DataError: labels are no class; names the images.
        """
        began = time.perf_counter()
        for batch in batches:
            came = time.perf_counter()
            if strange := strange_in(self.job, batch):
                self.seen.strange = strange
                self._write(batch.step, "begun", examine(self.seen, "batch")[0])
                _refuse_labels(self.seen)
            yield batch
            now = time.perf_counter()
            self._steps += 1
            if self._steps > WARM:
                self._waiting += came - began
                self._working += now - came
            began = now

    def stepped(self, stepped: "Stepped", rate: float, step: int, progress: float) -> None:
        """After a step; so many are done."""
        self.seen.progress = progress
        self._recent.append((stepped.loss, stepped.gradient))
        self._vitals = stepped.vitals or self._vitals
        if step % EVERY:
            return
        losses = [loss for loss, _ in self._recent]
        slopes = [gradient for _, gradient in self._recent if math.isfinite(gradient)]
        vitals = self._vitals or Vitals(0.0, 0.0, (), 0)
        self.seen.add(
            Window(
                step=step,
                progress=progress,
                rate=rate,
                loss=fmean(losses),
                low=min(losses),
                high=max(losses),
                gradient=fmean(slopes) if slopes else 0.0,
                moved=vitals.moved,
                weights=vitals.weights,
                idle=vitals.idle,
                kernels=vitals.kernels,
            )
        )
        self._recent.clear()
        self._time()
        self._tell(examine(self.seen, "steps"), "steps")

    def validated(self, row: HistoryRow, confusion: Confusion | None, *, last: bool) -> None:
        """After a validation."""
        if row.val_loss is None or confusion is None:
            return
        self.seen.validations.append(
            Validated(
                step=row.step,
                progress=self.seen.progress,
                train_loss=row.train_loss,
                train_accuracy=row.train_accuracy,
                loss=row.val_loss,
                accuracy=row.val_accuracy or 0.0,
                score=row.val_score or 0.0,
                true=confusion.sum(axis=1).tolist(),
                said=confusion.sum(axis=0).tolist(),
                hit=confusion.diagonal().tolist(),
            )
        )
        self.seen.ended = last
        moment: Moment = "end" if last else "validation"
        self._tell(examine(self.seen, moment), moment)

    def lost(self, learn: "Step", batch: Batch, stepped: "Stepped", rate: float) -> Finding:
        """Why loss or gradient of this batch was no number; the batch is looked at again."""
        weights = [window.weights for window in self.seen.windows if window.weights]
        now = math.sqrt(sum(float(p.detach().float().norm()) ** 2 for p in learn.network.parameters() if p.ndim > 1))
        grown = now / weights[0] if weights else 1.0
        self.seen.lost = replay.looked_again(learn, batch, stepped, rate, grown)
        found = examine(self.seen, "lost")
        self._write(batch.step, "begun", found[0])
        return found[0]

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            **self.seen.state(),
            "recent": self._recent,
            "vitals": None if self._vitals is None else list(self._vitals),
            "told": self._told,
            "rows": len(self.journal.rows),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Become what was saved."""
        self.seen.restore(saved)
        self._recent = [(loss, gradient) for loss, gradient in saved["recent"]]
        self._vitals = None if saved["vitals"] is None else Vitals(*saved["vitals"])
        self._told = saved["told"]

    def _time(self) -> None:
        total = self._waiting + self._working
        self.seen.timed = max(0, self._steps - WARM)
        self.seen.waited = self._waiting / total if total else 0.0

    def _tell(self, found: list[Finding], moment: Moment) -> None:
        """Say what is new, worse, or over."""
        for finding in found:
            told = self._told.setdefault(finding.code, {"strength": 0.0, "rank": -1, "quiet": 0, "lines": 0})
            told["quiet"] = 0
            rank = _RANK[finding.severity]
            new = told["rank"] < 0
            if new or rank > told["rank"] or finding.strength >= WORSE * told["strength"]:
                told.update(strength=finding.strength, rank=rank)
                self._say("begun" if new else "worse", finding, told)
        gone = codes(moment) - {finding.code for finding in found} if moment in CHANGING else set()
        for code in sorted(gone & self._told.keys()):
            told = self._told[code]
            told["quiet"] += 1
            if told["rank"] >= 0 and told["quiet"] >= QUIET:
                told.update(strength=0.0, rank=-1)
                for row in [row for row in self.journal.rows if row.finding.code == code][-1:]:
                    self._say("over", row.finding, told)

    def _say(self, state: Any, finding: Finding, told: dict[str, Any]) -> None:
        told["lines"] += 1
        if told["lines"] > MOST and state != "over":
            return
        self._write(self.seen.steps, state, finding)
        if finding.severity != "note":
            self._news.append(f"Over: {finding.title}." if state == "over" else str(finding))

    def _write(self, step: int, state: Any, finding: Finding) -> None:
        epoch = step / self.job.crops.steps_per_epoch
        try:
            self.journal.add(HealthRow(step=step, epoch=epoch, state=state, finding=finding))
        except OSError as error:  # a full disk costs the line, not the training
            self._news.append(f"{self.journal.path} could not be written ({error}). Free some space; training goes on.")


def demand_classes(job: "Job", batch: Batch) -> None:
    """Nothing, if all labels of the batch are classes of the network, or ignored.

    Raises:
        DataError: some are not; names the images.
    """
    if strange := strange_in(job, batch):
        _refuse_labels(Seen(Setup.of(job), strange=strange))


def strange_in(job: "Job", batch: Batch) -> Strange | None:
    """Labels of the batch that are no class, with their images.

    Looked at on the processor, before the batch is sent anywhere: a GPU would only say that something was asserted.
    """
    classes = max(2, job.network.record.classes)
    # Labels are bytes, so IGNORED and one is 0: one pass over them tells.
    if batch.labels.dtype == torch.uint8 and int((batch.labels + (256 - IGNORED)).max()) <= classes:
        return None
    found = (batch.labels != IGNORED) & ((batch.labels >= classes) | (batch.labels < 0))
    if not found.any():
        return None
    rows = torch.nonzero(found.flatten(1).any(dim=1)).flatten().tolist()
    names = replay.names_of(job, batch)
    labels = tuple(sorted(set(batch.labels[found].tolist())))
    return Strange(labels, classes, tuple(dict.fromkeys(names[row] for row in rows)))


def _refuse_labels(seen: Seen) -> None:
    found = examine(seen, "batch")[0]
    assert seen.strange is not None
    raise DataError(str(found), code=found.code, files=seen.strange.images)


def _refuse(found: list[Finding]) -> None:
    for finding in found:
        if finding.severity == "error":
            raise SettingError(str(finding))
