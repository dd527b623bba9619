"""Cross-validation: every fold in turn, and what they say together."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright import modelfile, recipes
from maskwright.api.folders import BEGUN, begin, brief, demand_nothing, found, is_stopped, new_folder
from maskwright.api.looking import Inspection, Watch, look
from maskwright.api.planning import budget_of, decided_for
from maskwright.api.running import Audience, run_in
from maskwright.api.training import inspection_of
from maskwright.data import folds
from maskwright.data.fingerprint import fingerprint
from maskwright.data.sample import Samples
from maskwright.errors import CheckpointError
from maskwright.evaluation import Scores
from maskwright.evaluation import cross_validation as crossing
from maskwright.evaluation.cross_validation import CrossValidation, FoldScores
from maskwright.evaluation.report import write_report
from maskwright.inference import ensemble as ensembles
from maskwright.plan import Plan
from maskwright.recipes import Recipe
from maskwright.records import sweep
from maskwright.training import lock, tracking
from maskwright.training.callbacks import Callback
from maskwright.training.prepare import housed


@dataclass(frozen=True)
class CrossValidated:
    """A model of each fold, and what they say together; the folder has each fold's run in `fold-0`, `fold-1` …"""

    folder: Path
    plan: Plan
    record: CrossValidation
    finished: bool
    """Whether all folds are trained; else `resume_folds` goes on."""

    @property
    def model(self) -> Path:
        """The file of the ensemble of all folds."""
        return self.folder / "model.safetensors"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"


def cross_validate(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    callbacks: Callable[[int], Sequence[Callback]] | None = None,
    track: Sequence[str] = (),
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> CrossValidated:
    """Train each fold of a folder in turn, by one plan, and make one model file of the ensemble. Say `folds=5`.

    The folder gets `cross-validation.json`, a report, and a run for each fold in `fold-0`, `fold-1` …; an image is
    scored by the one model that has not seen it, and the test part by none.
    minutes: for all folds together. epochs: of each fold. plan: what each fold does, its budget too.
    callbacks: who listens to the training of a fold, by its number.
    What is left out here is as for `train`.

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    started = time.monotonic()
    tracking.demand(track)
    folder = new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = _in_turn(look(data, followed, watch=watch, **inspection))
    times = folds.count(seen.samples)
    budget = budget_of(minutes / times if minutes is not None else None, epochs)
    decided = decided_for(seen, plan, followed, budget, memory, device, seed, settings or {})
    decided = _for_all(decided, times, minutes if plan is None else None)
    decided = housed(folder / "fold-0", folds.turn(seen.samples, 0), decided)
    folder.mkdir(parents=True, exist_ok=True)
    with lock.held(folder):
        demand_nothing(folder)  # since it was looked at, another may have begun and ended there
        record = CrossValidation(folds=times)
        record.save(folder / crossing.NAME)  # first: what it lies in is no run of its own
        for name, part in zip(BEGUN, (seen.samples, seen.fingerprint, decided), strict=True):
            part.save(folder / name)
        if planned:
            planned(seen, decided, folder)
        return _run_folds(folder, seen, decided, record, started, callbacks, watch, track)


def resume_folds(
    run: str | Path, *, callbacks: Callable[[int], Sequence[Callback]] | None = None, watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
) -> CrossValidated:  # fmt: skip
    """Go on with a cross-validation that was stopped or killed: folds that are done stay, the one under way is resumed.

    Raises:
        CheckpointError: there is nothing to resume, or it is finished.
    """
    started = time.monotonic()
    folder = Path(run)
    for name in (crossing.NAME, "samples.json", "fingerprint.json", "plan.yaml"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} has no {name}: no fold has been begun there. Start the folds anew.")
    record = CrossValidation.load(folder / crossing.NAME)
    if record.finished and (folder / "model.safetensors").exists():
        raise CheckpointError(f"{folder} is finished: its model is {folder / 'model.safetensors'}.")
    seen, decided = inspection_of(folder), Plan.load(folder / "plan.yaml")
    if planned:
        planned(seen, decided, folder)
    with lock.held(folder):
        return _run_folds(folder, seen, decided, record, started, callbacks, watch, tracking.named(folder / "fold-0"))


def _in_turn(seen: Inspection) -> Inspection:
    """What all folds start from: each image validates in one, and every fold is prepared and planned alike.

    The numbers of pixels are those of all images that take part, as nnU-Net takes them: the models of two folds then
    differ by what they have learned, not by how they see. The numbers of images are those of a fold.
    """
    samples = folds.whole(seen.samples)
    first = folds.turn(samples, 0)
    counted = fingerprint(samples).model_copy(update={"train": len(first.part("train")), "val": len(first.part("val"))})
    return Inspection(samples, counted, seen.findings)


def _for_all(decided: Plan, times: int, minutes: float | None) -> Plan:
    """The plan, with what it owes to being that of all folds among its reasons."""
    reasons = dict(decided.reasons)
    for key, why in {
        "preprocess": f"one plan for all {times} folds, from the numbers of all their images",
        "training.budget": f"{minutes:g} minutes for {times} folds together, as much for each" if minutes else "",
    }.items():
        if why:
            reasons[key] = "; ".join(filter(None, (reasons.get(key), why)))
    return decided.model_copy(update={"reasons": reasons})


def _run_folds(
    folder: Path,
    seen: Inspection,
    decided: Plan,
    record: CrossValidation,
    started: float,
    callbacks: Callable[[int], Sequence[Callback]] | None,
    watch: Watch | None,
    track: Sequence[str],
) -> CrossValidated:
    """From the plan to the model of all folds, one after the other; what is there already is not done again."""
    minutes = decided.training.budget.minutes or 0.0
    runs = [folder / f"fold-{n}" for n in range(record.folds)]
    first = len(record.done)
    for n in range(first, record.folds):
        # Reading before the first fold and scoring after each are paid by the fold that follows: all end in time.
        begun = min(time.monotonic(), started + (n - first) * 60 * minutes)
        samples = folds.turn(seen.samples, n)
        audience = Audience(callbacks(n) if callbacks else (), watch, track)
        line = _run_fold(n, runs[n], samples, decided, audience, begun)
        if line is None:
            return CrossValidated(folder, decided, record, finished=False)
        parts = [Scores.load(run / "scores-val.json") for run in runs[: n + 1]]
        record = record.with_folds([*record.done, line], parts)
        record.save(folder / crossing.NAME)
        if not record.finished:
            write_report(folder)
    assert record.pooled is not None, "all folds are done"
    said = {"scores": {"out-of-fold": brief(record.pooled)}, "fingerprint": seen.fingerprint}
    ensembles.save(folder / "model.safetensors", [run / "model.safetensors" for run in runs], said)
    write_report(folder)
    return CrossValidated(folder, decided, record, finished=True)


def _run_fold(
    n: int, run: Path, samples: Samples, decided: Plan, audience: Audience, started: float
) -> FoldScores | None:
    """What a fold scores once it is trained, in a run folder of its own; None if it was stopped before that."""
    model = run / "model.safetensors"
    if not model.exists() or is_stopped(run):
        own = Inspection(samples, fingerprint(samples))
        run.mkdir(exist_ok=True)
        with lock.held(run):
            if not (run / BEGUN[-1]).is_file():
                found(run, own, decided)
            sweep(run)
            begin(run)
            if not run_in(run, own, Plan.load(run / "plan.yaml"), audience, started=started).outcome.finished:
                return None
    made = modelfile.describe(model).provenance
    return crossing.fold_scores(
        n, Scores.load(run / "scores-val.json"), steps=made["steps"], seconds=made["seconds"], ended=made["ended"]
    )
