"""A search: trials one after the other, each a training of its own, and the best of them as a plan."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import Field

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.sample import Samples
from maskwright.errors import CheckpointError, DataError, MaskwrightError, SettingError, TrainingError
from maskwright.model.cost import cost
from maskwright.plan import Plan, demand_fitting
from maskwright.records import Record
from maskwright.training import checkpoint
from maskwright.training.callbacks import Callback, HistoryRow, Listener, StepNews
from maskwright.training.loop import Outcome, fit
from maskwright.training.prepare import prepare
from maskwright.tuning.space import Space
from maskwright.tuning.study import Study
from maskwright.tuning.trials import Trial, best, write_table

SEARCH, DATA = "search.yaml", "data"
"""What is searched, and the folder with samples and fingerprint: not where a run has them, as this is none."""


class Search(Record):
    """What is searched and how long; `search.yaml` in the search's folder."""

    trials: int = Field(20, ge=1)
    prune: bool = True
    """Whether trials that do worse than most end early."""
    read_seconds: float | None = Field(None, ge=0)
    """What reading and decoding took, once for all: each trial counts it, as the training that follows will. None:
    that is still to be done."""
    data: str
    """The folder of the data."""
    asked: dict[str, Any] = {}
    """Of the data, by the names of `data.survey.Asked`: to train on them in the same parts."""
    recipe: str | None = None
    fixed: dict[str, Any] = {}
    """Settings that keep their value."""
    space: Space
    plan: Plan
    """As it stands: trial 0."""


class SearchWatch(Protocol):
    """Listens to a search."""

    def begun(self, trial: Trial, trials: int) -> None:
        """Before a trial: what it changes."""

    def over(self, trial: Trial, leader: Trial | None) -> None:
        """After a trial; and the best one so far."""


@dataclass(frozen=True)
class Found:
    """What a search has found: its folder, every trial, and which settings mattered."""

    folder: Path
    search: Search
    trials: tuple[Trial, ...]
    finished: bool
    """False where it was stopped by hand."""
    importances: dict[str, float]
    """Setting → its share in what tells the best trials from the others; empty where too few were finished."""

    @property
    def best(self) -> Trial | None:
        """The trial with the highest score; of equals the earliest. None: none was finished yet."""
        return best(self.trials)

    @property
    def plan(self) -> Path:
        """The best plan, there as soon as a trial is finished."""
        return self.folder / "plan.yaml"


def demand_searchable(samples: Samples) -> None:
    """Nothing, if trials can be told apart by a score.

    Raises:
        SettingError: no image is set aside to validate on.
    """
    if not samples.part("val"):
        raise SettingError(
            "Trials are compared by their validation score, and no image is set aside to validate on. Name some with "
            "--val, or divide the images with --folds."
        )


def begin(folder: Path, samples: Samples, fingerprint: Fingerprint, search: Search) -> None:
    """Write down what a search needs to go on after a kill."""
    samples.save(folder / DATA / "samples.json")
    fingerprint.save(folder / DATA / "fingerprint.json")
    search.save(folder / SEARCH)


def demand_begun(folder: Path, trials: int | None = None) -> None:
    """Nothing, if there is a search in the folder; it then is one of so many trials.

    Raises:
        CheckpointError: there is none.
    """
    if not (folder / SEARCH).is_file():
        raise CheckpointError(f"{folder} is no search: it has no {SEARCH}. Give the folder that tune made.")
    if trials is not None:
        Search.load(folder / SEARCH).with_settings({"trials": trials}).save(folder / SEARCH)


def go_on(
    folder: Path,
    callbacks: Sequence[Callback] = (),
    watch: SearchWatch | None = None,
    decoding: Callable[[int, int], None] | None = None,
    started: float | None = None,
) -> Found:
    """Work on the trials that are left. Another process may do so in the same folder at the same time.

    started: when reading the data began, by time.monotonic, if it was just now.

    Raises:
        DataError, ReadError: a file has changed or is gone; the search can go on when it is there again.
        TrainingError: all trials are over, and none was finished.
    """
    search = Search.load(folder / SEARCH)
    samples = Samples.load(folder / DATA / "samples.json")
    fingerprint = Fingerprint.load(folder / DATA / "fingerprint.json")
    study = Study(folder / "study", search.plan, search.space, search.trials, prune=search.prune)
    finished, decoded = True, False
    while finished and (number := study.take()) is not None:
        try:
            if not decoded:
                search = _decoded(folder, samples, search, decoding, started or time.monotonic())
                decoded = True
            finished = _tried(_Attempt(number, folder, samples, fingerprint, search, study), callbacks, watch)
        finally:
            study.leave(number)
        if finished:
            rows = _keep(folder, search, study)
            if watch:
                watch.over(rows[number], best(rows))
    rows = _keep(folder, search, study)
    if finished and all(row.state != "running" for row in rows):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        if best(rows) is None:
            why = "; ".join(f"trial {row.number}: {row.said}" for row in rows)
            raise TrainingError(f"None of the {len(rows)} trials was finished. {why}")
    return Found(folder, search, rows, finished, study.importances())


def _decoded(
    folder: Path, samples: Samples, search: Search, decoding: Callable[[int, int], None] | None, started: float
) -> Search:
    """Decode the images for all trials, before the clock of any runs; the search with what that took at first."""
    prepare(folder, samples, search.plan, decoding)
    if search.read_seconds is not None:
        return search
    measured = search.model_copy(update={"read_seconds": round(time.monotonic() - started, 1)})
    measured.save(folder / SEARCH)
    return measured


@dataclass(frozen=True)
class _Attempt:
    """All that one trial needs."""

    number: int
    folder: Path
    samples: Samples
    fingerprint: Fingerprint
    search: Search
    study: Study

    @property
    def place(self) -> Path:
        return self.folder / "trials" / f"{self.number:03d}"

    def plan(self) -> Plan:
        """The plan with what was drawn.

        Raises:
            SettingError, DataError: the values do not go together.
        """
        if self.number == 0:
            return self.search.plan
        plan = with_reason(self.search.plan, self.study.settings(self.number), f"drawn for trial {self.number}")
        demand_fitting(plan, self.fingerprint)
        cost(plan.model, plan.sampling.crop)  # looks whether the network can be drawn
        return plan


def _tried(attempt: _Attempt, callbacks: Sequence[Callback], watch: SearchWatch | None) -> bool:
    """Work on a trial to its end, whatever that is; False if it was stopped by hand and is to go on."""
    number, study = attempt.number, attempt.study
    if watch:
        watch.begun(study.rows()[number], attempt.search.trials)
    started = time.monotonic()
    try:
        plan = attempt.plan()
    except (SettingError, DataError) as error:
        study.end(number, "refused", None, 0.0, str(error))
        return True
    curve = _Curve(study, number, plan.training.validation.times)
    try:
        outcome = _trained(attempt, plan, [*callbacks, curve])
    except MaskwrightError as error:
        if not isinstance(error, TrainingError):
            raise  # of the data or the disk: the next trial would meet it too
        study.end(number, "failed", None, time.monotonic() - started, str(error))
    except (RuntimeError, ValueError) as error:
        # What torch says of a combination that no record refuses: out of memory, one value a channel in a norm. With
        # the plan as it stands it would be a fault of ours, and is not hidden.
        if number == 0:
            raise
        study.end(number, "failed", None, time.monotonic() - started, str(error).strip().split("\n")[0])
    else:
        if not outcome.finished:
            return False
        seconds = outcome.seconds - (attempt.search.read_seconds or 0.0)
        if curve.pruned_at is not None:
            study.end(number, "pruned", None, seconds, f"below the median after {curve.pruned_at:.0%} of the training")
        elif outcome.score is None:
            study.end(number, "failed", None, seconds, f"no validation gave a score ({outcome.reason})")
        else:
            study.end(number, "finished", outcome.score, seconds)
    for name in (checkpoint.NAME, checkpoint.PREVIOUS):
        (attempt.place / name).unlink(missing_ok=True)
    return True


def _trained(attempt: _Attempt, plan: Plan, callbacks: Sequence[Callback]) -> Outcome:
    """The trial's training, from its checkpoint if there is one."""
    attempt.place.mkdir(parents=True, exist_ok=True)
    plan.save(attempt.place / "plan.yaml")
    again = checkpoint.exists(attempt.place)
    started = time.monotonic()
    job = prepare(attempt.place, attempt.samples, plan, decoded=attempt.folder / "cache")
    job.seconds_used = (attempt.search.read_seconds or 0.0) + time.monotonic() - started
    try:
        return fit(job, callbacks, resume=again)
    finally:
        if plan.device.accelerator == "cuda":
            torch.cuda.empty_cache()  # a larger network may be next


class _Curve(Listener):
    """Tells the study a trial's validation scores, and asks for an end where it is to be pruned."""

    def __init__(self, study: Study, number: int, times: int):
        self.study, self.number, self.times = study, number, times
        self.pruned_at: float | None = None
        self._share, self._validation = 0.0, 0

    def stepped(self, news: StepNews) -> bool:
        """Whether the trial is to end."""
        self._share = 0.0 if news.total is None else news.step / max(1, news.total)
        return self.pruned_at is not None

    def validated(self, row: HistoryRow) -> None:
        """Trials are compared at the same share of their training: a wider network makes fewer steps in its time."""
        if row.val_score is None or self.pruned_at is not None:
            return
        self._validation = min(self.times, max(self._validation + 1, round(self._share * self.times)))
        if self.study.told(self.number, self._validation, row.val_score):
            self.pruned_at = self._share


def _keep(folder: Path, search: Search, study: Study) -> tuple[Trial, ...]:
    """Write the table, and the best plan so far. Returns the trials."""
    with study.lock:
        rows = study.rows()
        write_table(folder / "trials.csv", rows)
        if (leader := best(rows)) is not None:
            winner(search, rows, leader).save(folder / "plan.yaml")
    return rows


def winner(search: Search, rows: Sequence[Trial], leader: Trial) -> Plan:
    """The leader's plan; what it changed has that for its reason."""
    start = rows[0].score if rows[0].state == "finished" else None
    against = f"against {start:.3f} of the plan as it was" if start is not None else "the plan as it was did not finish"
    why = f"found by tune: trial {leader.number} of {search.trials}, validation mean IoU {leader.score:.3f} {against}"
    return with_reason(search.plan, leader.settings, why)


def with_reason(plan: Plan, settings: Mapping[str, Any], why: str) -> Plan:
    """The plan with some settings changed, by full key, and why.

    Raises:
        SettingError: it does not allow them together.
    """
    changed = plan.with_settings(settings)
    return changed.model_copy(update={"reasons": {**plan.reasons, **dict.fromkeys(settings, why)}})
