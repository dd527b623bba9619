"""A run: from a plan to the report, all in one folder."""

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from maskwright import modelfile
from maskwright.api.folders import UNFINISHED, again_with, brief, keep_scores, mark, said_when_full
from maskwright.api.looking import Inspection, Watch, telling
from maskwright.errors import DataError, MaskwrightError, ModelFileError, ReadError, TerminatedError
from maskwright.evaluation import Scores
from maskwright.evaluation import evaluate as score
from maskwright.evaluation.gallery import Gallery, data_pictures
from maskwright.evaluation.report import write_report
from maskwright.inference import Predictor
from maskwright.modelfile import Description
from maskwright.plan import Plan
from maskwright.records import sync_folder
from maskwright.training import checkpoint, tracking
from maskwright.training.callbacks import Callback
from maskwright.training.familiarity import familiar
from maskwright.training.job import Outcome
from maskwright.training.loop import fit
from maskwright.training.prepare import description, golden, prepare
from maskwright.training.signals import TERMINATED
from maskwright.training.world import ALONE, World


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, the model in it, and how good it is on the validation part."""

    folder: Path
    plan: Plan
    scores: Scores | None
    outcome: Outcome

    @property
    def model(self) -> Path:
        """The model file."""
        return self.folder / "model.safetensors"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"


@dataclass(frozen=True)
class Audience:
    """Who is told of a run."""

    callbacks: Sequence[Callback] = ()
    watch: Watch | None = None
    track: Sequence[str] = ()
    """Trackers, by name."""


def run_in(
    folder: Path, seen: Inspection, decided: Plan, audience: Audience, *, started: float, world: World = ALONE
) -> Run:
    """Train by a plan, from the last checkpoint if there is one, and write model, scores and report.

    started: when the time that the budget counts began. world: the processes that train together.
    """

    def warn(text: str) -> None:
        for callback in audience.callbacks:
            callback.warned(text)

    told = tracking.begin(
        folder,
        audience.track,
        settings={name: value for name, value in decided.plain().items() if name != "reasons"},
        data=seen.fingerprint.plain(),
        notes=seen.samples.notes,
        warn=warn,
    )
    with told:
        run = _run(folder, seen, decided, [*audience.callbacks, told], audience.watch, started, world)
        told.finished(_results(run))
    return run


def _results(run: Run) -> tracking.Results:
    """What trackers are told in the end."""
    scores: dict[str, float | None] = {}
    if run.scores is not None:
        of = f"final/{run.scores.split}"
        scores = {f"{of}/mean_iou": run.scores.mean_iou, f"{of}/accuracy": run.scores.accuracy}
        scores |= {f"{of}/{name}": value for name, value in run.scores.contests.items()}
        scores |= {f"{of}/{name}/{c.name}": value for c in run.scores.classes for name, value in c.scores.items()}
    return tracking.Results(
        reason=run.outcome.reason,
        finished=run.outcome.finished,
        step=run.outcome.steps,
        scores={name: value for name, value in scores.items() if value is not None},
        pictures=tuple(sorted((run.folder / "pictures" / "val").glob("*.png"))),
        files=(run.model, run.folder / "plan.yaml", run.report, run.folder / "history.csv"),
    )


def _run(
    folder: Path,
    seen: Inspection,
    decided: Plan,
    callbacks: Sequence[Callback],
    watch: Watch | None,
    started: float,
    world: World,
) -> Run:
    again = checkpoint.exists(folder)
    world.join(decided.device)
    world.call(folder, again=again)  # the others, if any, help until the training is over
    with said_when_full(folder):
        with world.in_turn():
            job = prepare(folder, seen.samples, decided, telling(watch, "decoding"), world=world)
        sample = golden(job)
    job.seconds_used = time.monotonic() - started
    outcome = fit(job, callbacks, resume=again, rescue=partial(_rescued, folder, seen, decided, sample))
    world.leave()
    del job  # what it has mapped of the decoded images would keep their room on the disk
    if outcome.reason == TERMINATED:
        mark(folder, outcome)
        raise TerminatedError(f"The system asked to end; the training is saved. Go on with: {again_with(folder)}")
    with said_when_full(folder):
        try:
            scores = _written(folder, seen, decided, sample, outcome, watch)
        except (ReadError, DataError) as error:
            error.add_note(f"Training is over and loses nothing: mend that, then finish with {again_with(folder)}")
            raise
        if outcome.finished:
            shutil.rmtree(folder / "cache", ignore_errors=True)
            (folder / checkpoint.PREVIOUS).unlink(missing_ok=True)
            sync_folder(folder)
            (folder / UNFINISHED).unlink(missing_ok=True)
    return Run(folder, decided, scores, outcome)


def _written(
    folder: Path, seen: Inspection, decided: Plan, sample: Tensor, outcome: Outcome, watch: Watch | None = None
) -> Scores | None:
    """Model, scores and report of what was learnt, in the run's folder; the scores."""
    mark(folder, outcome)
    about = description(folder, seen.samples, seen.fingerprint, decided, outcome)
    _keep_model(folder, outcome, about, sample)
    predictor = Predictor(folder / "model.safetensors", device=decided.device.name)
    about = about.model_copy(update={"familiar": familiar(predictor.network, decided, seen.samples)})
    scores = None
    data_pictures(seen.samples, folder / "pictures" / "data")
    if part := seen.samples.part("val"):
        gallery = Gallery(seen.samples.labels, decided.preprocess)
        scores = score(
            predictor, seen.samples, part, "val",
            metrics=decided.metrics, watch=gallery.watch, progress=telling(watch, "evaluating"),
        )  # fmt: skip
        keep_scores(folder, scores, gallery)
        about = about.model_copy(update={"scores": {"val": brief(scores)}})
    _keep_model(folder, outcome, about, sample)
    write_report(folder)
    return scores


def _rescued(folder: Path, seen: Inspection, decided: Plan, sample: Tensor, outcome: Outcome) -> str:
    """Model, scores and report of the best so far of a training that broke off; says what is kept."""
    mark(folder, outcome)
    about = description(folder, seen.samples, seen.fingerprint, decided, outcome)
    _keep_model(folder, outcome, about, sample)
    told = f"The best model so far is kept: {folder / 'model.safetensors'}. Once that is mended, {again_with(folder)}"
    try:
        _written(folder, seen, decided, sample, outcome)
    except (MaskwrightError, OSError) as error:  # an image that is gone is gone for the scores too
        with suppress(MaskwrightError, OSError):
            write_report(folder)
        told += f"\nIt could not be scored: {error}"
    return told


def _keep_model(folder: Path, outcome: Outcome, about: Description, sample: Tensor) -> None:
    """Write the model file; where the disk is full, in the room of the decoded images, which can be made again."""
    path = folder / "model.safetensors"
    try:
        try:
            modelfile.save(path, outcome.weights, about, sample)
        except ModelFileError:
            if not (folder / "cache").is_dir():
                raise
            shutil.rmtree(folder / "cache", ignore_errors=True)
            modelfile.save(path, outcome.weights, about, sample)
    except ModelFileError as error:
        if outcome.saved:
            what = f"All that was learnt is in {folder / checkpoint.NAME}. Free some space; nothing is trained again by"
        else:
            what = "No checkpoint of the end could be written either. Free some space; what is lost is learnt again by"
        error.add_note(f"{what} {again_with(folder)}")
        raise
