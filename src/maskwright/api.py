"""The street on one page: folder → samples → fingerprint → plan → network → training → model file → scores → report.

These functions are the public Python API, and what the command line calls. Each returns a record or a small object.
"""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from maskwright import modelfile, recipes
from maskwright.data import doctor, folds
from maskwright.data.cleaning import write_clean
from maskwright.data.doctor import Finding
from maskwright.data.fingerprint import Fingerprint, fingerprint
from maskwright.data.index import index
from maskwright.data.sample import Samples
from maskwright.data.survey import Asked, survey
from maskwright.devices import DeviceSettings, choose, cores, demand_here, is_here, spread
from maskwright.errors import CheckpointError, DataError, SettingError
from maskwright.evaluation import Scores
from maskwright.evaluation import cross_validation as crossing
from maskwright.evaluation import evaluate as score
from maskwright.evaluation.batch_picture import draw_batch
from maskwright.evaluation.cross_validation import CrossValidation, FoldScores
from maskwright.evaluation.diagnosis import Diagnosis
from maskwright.evaluation.gallery import Gallery, data_pictures, overlay
from maskwright.evaluation.range_picture import draw_range
from maskwright.evaluation.report import write_report
from maskwright.evaluation.scores import chosen_metrics
from maskwright.files import write_image
from maskwright.inference import Prediction, Predictor
from maskwright.inference import ensemble as ensembles
from maskwright.inference.masks import Written, write_masks
from maskwright.inference.predictor import Source
from maskwright.modelfile import Description
from maskwright.plan import Plan, decide, demand_fitting, follow
from maskwright.recipes import Recipe, build
from maskwright.records import replacing
from maskwright.settings import Budget
from maskwright.tiling import Tiles
from maskwright.training import tracking
from maskwright.training.callbacks import Callback
from maskwright.training.health.monitor import demand_healthy
from maskwright.training.job import Outcome
from maskwright.training.loop import fit
from maskwright.training.one_batch import OneBatch, bare, one_batch
from maskwright.training.prepare import description, golden, housed, prepare
from maskwright.training.range_test import RangeTest, range_test
from maskwright.training.trial import trial
from maskwright.training.world import ALONE, World, demand_shares
from maskwright.training.world import here as world_here
from maskwright.tuning import search as searching
from maskwright.tuning.proposal import proposed
from maskwright.tuning.search import Found, Search, SearchWatch
from maskwright.tuning.space import Space
from maskwright.tuning.study import demand_optuna

__all__ = [
    "CrossValidated", "Diagnosis", "Inspection", "Run", "Written", "build", "clean", "cross_validate", "diagnose",
    "ensemble", "evaluate", "find_lr", "inspect", "load", "look", "overfit_one_batch", "plan", "predict",
    "predict_files", "resume", "resume_folds", "resume_tune", "train", "tune",
]  # fmt: skip

Watch = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much of it is done."""


@dataclass(frozen=True)
class Inspection:
    """What a training starts from: the samples, their fingerprint, and what the quick part of the doctor warns of."""

    samples: Samples
    fingerprint: Fingerprint
    findings: tuple[Finding, ...] = ()


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


def inspect(data: str | Path, *, watch: Watch | None = None, **asked: Any) -> Inspection:
    """The samples of a folder and its fingerprint: every file is opened once, and what does not fit is an error.

    asked: what is wanted of the data besides what its `dataset.yaml` says, by the names of `data.survey.Asked`: test,
    val, skip (names or patterns of images, e.g. `2[4-9].png`), share, stratify …

    Raises:
        DataError, ReadError: names the file, what was expected and what to do.
    """
    seen = survey(data, Asked(**asked), workers=cores(), progress=_telling(watch, "reading"), strict=True)
    assert seen.samples is not None, "a strict survey raises what is wrong"
    findings = doctor.diagnose(seen, deep=False)
    if wrong := [finding for finding in findings if finding.severity == "error"]:
        more = f" And {len(wrong) - 1} more: maskwright inspect {data} tells all." if len(wrong) > 1 else ""
        raise DataError(f"{wrong[0].title}. {wrong[0].why} {wrong[0].remedy}{more}", code=wrong[0].code)
    return Inspection(seen.samples, fingerprint(seen.samples), findings)


def diagnose(data: str | Path, *, watch: Watch | None = None, **asked: Any) -> Diagnosis:
    """Everything that is wrong with a folder, or looks so, worst first; each with its remedy.

    asked: as for `inspect`.

    Raises:
        DataError: there is nothing in the folder that could be looked at.
    """
    seen = survey(data, Asked(**asked), workers=cores(), progress=_telling(watch, "reading"))
    findings = doctor.diagnose(seen, progress=_telling(watch, "examining"))
    healthy = all(finding.severity != "error" for finding in findings)
    measured = fingerprint(seen.samples) if seen.samples is not None and healthy else None
    return Diagnosis(seen, findings, measured)


def clean(samples: Samples, out: str | Path, *, watch: Watch | None = None) -> Path:
    """Write the samples anew, in the plainest form: upright images, masks of labels, a folder a part. Returns the
    `dataset.yaml` of the copy.

    Raises:
        DataError: `out` is there already and not empty, or lies inside the data.
    """
    return write_clean(samples, out, workers=cores(), progress=_telling(watch, "writing"))


def look(data: str | Path | Inspection, recipe: str | Path | Recipe | None = None, **options: Any) -> Inspection:
    """The folder, inspected, in the parts that a recipe asks for, unless others are."""
    if isinstance(data, Inspection):
        return data
    followed = recipes.recipe(recipe) if recipe else None
    asked = {name: value for name, value in options.items() if value or (name == "fold" and value is not None)}
    said = followed.parts.model_dump() if followed else {}
    if asked.get("folds"):
        said |= {"share": None, "val": ()}  # folds that are asked for say what validates
    return inspect(data, **{**said, **asked})


def plan(
    data: str | Path | Inspection,
    *,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str | DeviceSettings = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    recipe: str | Path | Recipe | None = None,
    **inspection: Any,
) -> Plan:
    """The plan for a folder, without training: every setting with its reason.

    device: as for `train`; or the settings of a device that is elsewhere, as `devices.elsewhere` makes them: what steps
        cost is then estimated, not measured.
    recipe: a recipe to follow, by name or as a `.yaml` file; everything is then as it says.
    """
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, **inspection)
    return _decided(seen, None, followed, _budget(minutes, epochs), memory, device, seed, settings or {})


def train(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    devices: int | None = None,
    nodes: int | None = None,
    strategy: str | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    callbacks: Sequence[Callback] = (),
    track: Sequence[str] = (),
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> Run:
    """Train a model on a folder of images and masks.

    out: the run's folder, which must not exist or be empty; a new one under `runs/` if not given.
    minutes, epochs: the budget; minutes count from reading the data to the model file. Without one, training goes on
        until the validation score has settled.
    memory: gigabytes (10⁹ bytes) that training may take, on the device.
    devices, nodes, strategy: train with so many devices on each of so many machines, by "ddp" or "fsdp". The script
        that is running is then started once more for each; `torchrun` and SLURM may have done that already. All but the
        first process end here, quietly, when training is over.
    settings: values of the plan by dotted key, e.g. {"model.depth": 3}.
    plan: a whole plan to follow instead of deciding one.
    recipe: a recipe to follow, by name or as a `.yaml` file (`maskwright recipes` lists them).
    track: trackers that are told of the training besides, by name: tensorboard, mlflow, wandb …
    planned: told what was found and decided before training begins.

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
        TrainingError: the loss is no longer a number, or another process failed.
    """
    started = time.monotonic()
    if inspection.get("folds") and inspection.get("fold") is None:
        raise SettingError("One run trains one fold: say which with fold=0, or train all with api.cross_validate.")

    tracking.demand(track)
    world = world_here()
    wishes = settings or {}
    where = choose(wishes.get("device.name", plan.device.name if plan else device))
    with world.together():
        if world.place.started:
            world.join(world.settings(where))
        if not world.first:
            world.join(spread(where, devices or 1, nodes or 1))
            _follow(world)
        folder = _new_folder(out, data)
        followed = recipes.recipe(recipe) if recipe else None
        seen = look(data, followed, watch=watch, **inspection)
        decided = _decided(seen, plan, followed, _budget(minutes, epochs), memory, device, seed, wishes)
        decided = _spread(decided, world, devices, nodes, strategy)
        decided = housed(folder, seen.samples, decided)
        folder.mkdir(parents=True, exist_ok=True)
        seen.samples.save(folder / "samples.json")
        seen.fingerprint.save(folder / "fingerprint.json")
        decided.save(folder / "plan.yaml")
        if planned:
            planned(seen, decided, folder)
        return _tracked(folder, seen, decided, started, callbacks, watch, track, world, again=False)


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
    folder = _new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = _in_turn(look(data, followed, watch=watch, **inspection))
    times = folds.count(seen.samples)
    budget = _budget(minutes / times if minutes is not None else None, epochs)
    decided = _decided(seen, plan, followed, budget, memory, device, seed, settings or {})
    decided = _for_all(decided, times, minutes if plan is None else None)
    decided = housed(folder / "fold-0", folds.turn(seen.samples, 0), decided)
    folder.mkdir(parents=True, exist_ok=True)
    record = CrossValidation(folds=times)
    record.save(folder / crossing.NAME)  # first: what it lies in is no run of its own
    seen.samples.save(folder / "samples.json")
    seen.fingerprint.save(folder / "fingerprint.json")
    decided.save(folder / "plan.yaml")
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
    seen = Inspection(Samples.load(folder / "samples.json"), Fingerprint.load(folder / "fingerprint.json"))
    decided = Plan.load(folder / "plan.yaml")
    if planned:
        planned(seen, decided, folder)
    return _run_folds(folder, seen, decided, record, started, callbacks, watch, tracking.named(folder / "fold-0"))


def find_lr(
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
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> RangeTest:
    """A learning rate for a folder, by a range test of the network that `train` would train, and with its options.

    Nothing is trained. The folder gets `plan.yaml`, `lr-range.json` and the picture `lr-range.png`.

    >>> train("cells", settings=find_lr("cells").settings)  # doctest: +SKIP

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    if world_here().place.started:
        raise SettingError("A learning rate is looked for in one process: start it without torchrun or srun.")
    folder = _new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    decided = _decided(seen, plan, followed, _budget(minutes, epochs), memory, device, seed, settings or {})
    decided = housed(folder, seen.samples, decided)
    decided.save(folder / "plan.yaml")
    if planned:
        planned(seen, decided, folder)
    try:
        job = prepare(folder, seen.samples, decided, _telling(watch, "decoding"))
        test = range_test(job, progress=_telling(watch, "finding the rate"))
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)
    test.save(folder / "lr-range.json")
    draw_range(test, folder / "lr-range.png")
    return test


def overfit_one_batch(
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
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> OneBatch:
    """Whether the network that `train` would train, with its options, can learn one batch by heart.

    Without augmentation, weight decay and dropout; a network that cannot do that learns nothing in a long training
    either. No run is left behind, only a picture: image, true mask and prediction of each crop.

    out: the picture; `NAME-one-batch.png` if not given.

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    decided = _decided(seen, plan, followed, _budget(minutes, epochs), memory, device, seed, settings or {})
    picture = Path(out) if out is not None else Path(f"{Path(seen.samples.root).resolve().stem}-one-batch.png")
    picture = picture if picture.suffix else picture / "one-batch.png"
    if planned:
        planned(seen, decided, picture)
    stripped, few = bare(decided, seen.samples)
    with tempfile.TemporaryDirectory(prefix="maskwright-") as folder:
        job = prepare(Path(folder), few, stripped, _telling(watch, "decoding"))
        found, shown = one_batch(job, progress=_telling(watch, "learning one batch"))
        draw_batch(shown, seen.samples.labels, picture)
        del job  # its cache is mapped into memory, which on some systems keeps the files from being removed
    return found


def tune(
    data: str | Path | Inspection,
    *,
    trials: int = 20,
    space: str | Path | Space | None = None,
    prune: bool = True,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    callbacks: Sequence[Callback] = (),
    watch: Watch | None = None,
    told: SearchWatch | None = None,
    planned: Callable[[Inspection, Search, Path], None] | None = None,
    **inspection: Any,
) -> Found:
    """Settings that do better than the plan as it stands, by trials on the validation images; `plan.yaml` of the best.

    The options are those of `train`; the budget is that of one trial. Trial 0 is the plan as it stands, so the best is
    never worse by the same measure; that measure favours the best of many, and the test part stays untouched.

    trials: so many trainings. space: what may change, or a `.yaml` of it; None: what `tuning.proposal` thinks of.
    settings: keep their value in all trials. prune: end those early that do worse than most. told: hears of trials.

    >>> train("cells", plan=Plan.load(tune("cells", minutes=2).plan))  # doctest: +SKIP

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    started = time.monotonic()
    demand_optuna()
    if trials < 1:
        raise SettingError(f"{trials} trials are none. Give at least 2: the plan as it stands, and another.")
    asked = space if isinstance(space, Space) or space is None else Space.load(space)
    folder = _new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    fixed = dict(settings or {})
    if plan is not None and (budget := _budget(minutes, epochs)):
        fixed["training.budget"] = budget.plain()
    decided = _decided(seen, plan, followed, _budget(minutes, epochs), memory, device, seed, fixed)
    searching.demand_searchable(seen.samples)
    dimensions = (asked or proposed(decided, fixed)).demanded(decided, fixed)
    search = Search(
        trials=trials,
        prune=prune,
        data=seen.samples.root if isinstance(data, Inspection) else str(data),
        asked={n: v for n, v in inspection.items() if v or (n == "fold" and v is not None)},
        recipe=recipe.name if isinstance(recipe, Recipe) else str(recipe) if recipe else None,
        fixed=fixed,
        space=dimensions,
        plan=housed(folder, seen.samples, decided),
    )
    searching.begin(folder, seen.samples, seen.fingerprint, search)
    if planned:
        planned(seen, search, folder)
    return searching.go_on(folder, callbacks, told, _telling(watch, "decoding"), started)


def resume_tune(
    search: str | Path,
    *,
    trials: int | None = None,
    callbacks: Sequence[Callback] = (),
    watch: Watch | None = None,
    told: SearchWatch | None = None,
) -> Found:
    """Go on with a search that was stopped or killed, or help one that is under way in another process.

    trials: so many in all, in place of what was asked for at first.

    Raises:
        CheckpointError: there is no search in the folder.
    """
    demand_optuna()
    searching.demand_begun(Path(search), trials)
    return searching.go_on(Path(search), callbacks, told, _telling(watch, "decoding"))


def resume(
    run: str | Path, *, callbacks: Sequence[Callback] = (), track: Sequence[str] = (), watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    devices: int | None = None, nodes: int | None = None, strategy: str | None = None,
) -> Run:  # fmt: skip
    """Go on with a run that was stopped or killed. On a CPU the model is the one it would have been, bit for bit.

    track: trackers besides those that were told of it before.
    devices, nodes, strategy: as for `train`, where they are to be others than before; sums are then added up in another
        order, and the model is the same but for rounding.

    Raises:
        CheckpointError: there is nothing to resume, or the run is finished.
    """
    folder, world = Path(run), world_here()
    if (folder / crossing.NAME).is_file():
        raise CheckpointError(f"{folder} holds the runs of several folds: go on with api.resume_folds.")
    seen, decided = _of_run(folder)
    with world.together():
        if world.place.started:
            world.join(world.settings(decided.device))
        if not world.first:
            world.join(spread(decided.device, devices or decided.device.devices, nodes or decided.device.nodes))
            _follow(world)
        now = _spread(decided, world, devices, nodes, strategy)
        if now.device != decided.device:
            now.save(folder / "plan.yaml")
        if planned:
            planned(seen, now, folder)
        again = (folder / "last.ckpt").is_file()
        return _tracked(folder, seen, now, time.monotonic(), callbacks, watch, track, world, again=again)


def _of_run(folder: Path) -> tuple[Inspection, Plan]:
    """What a run that is not finished is made of."""
    for name in ("samples.json", "fingerprint.json", "plan.yaml"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is not a run: it has no {name}. Give the folder that train made.")
    if (folder / "model.safetensors").exists() and not (folder / "interrupted").exists():
        raise CheckpointError(f"{folder} is finished: its model is {folder / 'model.safetensors'}.")
    seen = Inspection(Samples.load(folder / "samples.json"), Fingerprint.load(folder / "fingerprint.json"))
    return seen, Plan.load(folder / "plan.yaml")


def load(model: Source | Sequence[Source], *, device: str = "auto", tiles: Tiles | None = None) -> Predictor:
    """A predictor for a model file; call it with a file or an array. Of several files, or of a file that holds several
    models, it gives the mean of their probabilities.

    Raises:
        ModelFileError: it is no model of ours, is damaged, or comes from a later version.
        SettingError: several do not fit together: channels, kind of value and classes must be the same.
    """
    return Predictor(model, device=device, tiles=tiles)


def ensemble(models: Sequence[str | Path], out: str | Path) -> Path:
    """Write the models of several files as one self-contained model file; each counts the same. Returns its path.

    Raises:
        ModelFileError: a file is no model of ours, or damaged, or the new one cannot be written.
        SettingError: there are fewer than two, they do not fit together, or `out` is there already.
    """
    if Path(out).exists():
        raise SettingError(f"{out} is there already. Give another --out.")
    return ensembles.save(out, models)


def predict(
    model: Source | Sequence[Source] | Predictor,
    image: str | Path | NDArray[Any],
    *,
    probabilities: bool = False,
    device: str = "auto",
) -> Prediction:
    """The prediction for one image, a file or an array H W or H W C."""
    predictor = model if isinstance(model, Predictor) else load(model, device=device)
    return predictor(image, probabilities=probabilities)


def predict_files(
    model: Source | Sequence[Source] | Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    overlays: bool = False,
    probabilities: bool = False,
    runs: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> Iterator[Written]:
    """Predict files, folders and globs; each gets `OUT/STEM.png` in its own size and the training masks' values.

    A stack gets `OUT/STEM.tif`, a page for each of its own; what else is written is called STEM_00, STEM_01 …
    overlays: also `STEM.overlay.png`. probabilities: also `STEM.probabilities.npy`, K H W float32.
    runs: also this CSV of all images, the foreground of each as run lengths by stem; written at the end.
    overwrite: write over masks that are there already. A file that does not open stops none of the others.

    Raises:
        DataError: an input matches nothing, two would be written to the same mask, or a mask is there already.
        SettingError: runs are asked of a model with more than one foreground class.
    """
    predictor = model if isinstance(model, Predictor) else load(model, device=device)
    beside = partial(_write_beside, overlays=overlays)
    return write_masks(
        predictor, inputs, Path(out), beside, probabilities=probabilities, runs=runs, overwrite=overwrite
    )


def evaluate(
    model: Source | Sequence[Source] | Predictor,
    data: str | Path | Samples | None = None,
    *,
    split: str = "test",
    metrics: Sequence[str] = (),
    device: str = "auto",
    watch: Watch | None = None,
    **inspection: Any,
) -> Scores:
    """How good a model is on one part of a folder: train, val, test, or all of it.

    Images that the model file knows, by content, keep the part they had in training. When the model lies in its run
    folder and all the images are of that run, `scores-SPLIT.json` and the report there are written anew.

    metrics: names of image metrics to score besides, e.g. `salt` or `dsb2018`; none: those of the model's plan.

    Raises:
        DataError: the part has no labelled image, or the classes are not the model's.
        SettingError: a metric is unknown; nothing has been read then.
    """
    chosen_metrics(metrics)
    predictor = model if isinstance(model, Predictor) else load(model, device=device)
    run = _run_of(model)
    samples = _samples_of(run, data, watch, inspection)
    part = [s for s in samples.samples if s.mask] if split == "all" else _part(samples, predictor.description, split)
    gallery = Gallery(samples.labels, predictor.description.preprocess)
    wanted = metrics or predictor.description.plan.metrics
    scores = score(
        predictor, samples, part, split,
        metrics=wanted, watch=gallery.watch, progress=_telling(watch, "evaluating"),
    )  # fmt: skip
    of_the_run = {content for contents in predictor.description.split.values() for content in contents}
    if run is not None and all(s.content in of_the_run for s in part):
        _keep_scores(run, scores, gallery)
        write_report(run)
    return scores


def _write_beside(target: Path, image_HWC: NDArray[Any], prediction: Prediction, *, overlays: bool) -> None:
    """What is asked for besides the mask, called as the mask."""
    if overlays:
        write_image(target.with_suffix(".overlay.png"), overlay(image_HWC, prediction.labels, prediction.classes))
    if prediction.probabilities is not None:
        with replacing(target.with_suffix(".probabilities.npy")) as temporary:
            np.save(temporary, prediction.probabilities)


def _tracked(
    folder: Path,
    seen: Inspection,
    decided: Plan,
    started: float,
    callbacks: Sequence[Callback],
    watch: Watch | None,
    track: Sequence[str],
    world: World,
    *,
    again: bool,
) -> Run:
    """The run, of which its trackers are told."""

    def warn(text: str) -> None:
        for callback in callbacks:
            callback.warned(text)

    told = tracking.begin(
        folder,
        track,
        settings={name: value for name, value in decided.plain().items() if name != "reasons"},
        data=seen.fingerprint.plain(),
        notes=seen.samples.notes,
        warn=warn,
    )
    with told:
        run = _run(folder, seen, decided, started, [*callbacks, told], watch, world, again=again)
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
    started: float,
    callbacks: Sequence[Callback],
    watch: Watch | None,
    world: World,
    *,
    again: bool,
) -> Run:
    """From the plan to the report, all in one run folder. The others, if any, help until the training is over."""
    world.join(decided.device)
    world.call(folder, again=again)
    with world.in_turn():
        job = prepare(folder, seen.samples, decided, _telling(watch, "decoding"), world=world)
    job.seconds_used = time.monotonic() - started
    outcome = fit(job, callbacks, resume=again)
    world.leave()
    marker = folder / "interrupted"
    if not outcome.finished:
        marker.write_text("Stopped by hand. Go on with: maskwright train --resume FOLDER\n", "utf-8")
    about = description(folder, seen.samples, seen.fingerprint, decided, outcome)
    sample = golden(job)
    modelfile.save(folder / "model.safetensors", outcome.weights, about, sample)
    if outcome.finished:  # not before: the model of a stopped run would pass for the finished one's
        marker.unlink(missing_ok=True)
    predictor = Predictor(folder / "model.safetensors", device=decided.device.name)
    scores = None
    data_pictures(seen.samples, folder / "pictures" / "data")
    if part := seen.samples.part("val"):
        gallery = Gallery(seen.samples.labels, decided.preprocess)
        scores = score(
            predictor, seen.samples, part, "val",
            metrics=decided.metrics, watch=gallery.watch, progress=_telling(watch, "evaluating"),
        )  # fmt: skip
        _keep_scores(folder, scores, gallery)
        described = about.model_copy(update={"scores": {"val": _brief(scores)}})
        modelfile.save(folder / "model.safetensors", outcome.weights, described, sample)
    write_report(folder)
    if outcome.finished:
        shutil.rmtree(folder / "cache", ignore_errors=True)
    return Run(folder, decided, scores, outcome)


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
        line = _run_fold(n, runs[n], samples, decided, begun, callbacks(n) if callbacks else (), watch, track)
        if line is None:
            return CrossValidated(folder, decided, record, finished=False)
        parts = [Scores.load(run / "scores-val.json") for run in runs[: n + 1]]
        record = record.with_folds([*record.done, line], parts)
        record.save(folder / crossing.NAME)
        if not record.finished:
            write_report(folder)
    assert record.pooled is not None, "all folds are done"
    said = {"scores": {"out-of-fold": _brief(record.pooled)}, "fingerprint": seen.fingerprint}
    ensembles.save(folder / "model.safetensors", [run / "model.safetensors" for run in runs], said)
    write_report(folder)
    return CrossValidated(folder, decided, record, finished=True)


def _run_fold(
    n: int,
    run: Path,
    samples: Samples,
    decided: Plan,
    started: float,
    callbacks: Sequence[Callback],
    watch: Watch | None,
    track: Sequence[str],
) -> FoldScores | None:
    """What a fold scores once it is trained, in a run folder of its own; None if it was stopped before that."""
    model = run / "model.safetensors"
    if not model.exists() or (run / "interrupted").exists():
        own = Inspection(samples, fingerprint(samples))
        for name, part in (("samples.json", samples), ("fingerprint.json", own.fingerprint), ("plan.yaml", decided)):
            if not (run / name).is_file():
                part.save(run / name)
        again = (run / "last.ckpt").is_file()
        plan = Plan.load(run / "plan.yaml")
        if not _tracked(run, own, plan, started, callbacks, watch, track, ALONE, again=again).outcome.finished:
            return None
    else:
        # Killed after the training: what it has learned is all there, but scores that lie there may be older.
        scores = evaluate(model, split="val", device=decided.device.name, watch=watch)
        about, tensors = modelfile.read(model)
        modelfile.write(model, tensors, about.model_copy(update={"scores": {"val": _brief(scores)}}))
    shutil.rmtree(run / "cache", ignore_errors=True)
    made = modelfile.describe(model).provenance
    return crossing.fold_scores(
        n, Scores.load(run / "scores-val.json"), steps=made["steps"], seconds=made["seconds"], ended=made["ended"]
    )


def _brief(scores: Scores) -> dict[str, Any]:
    """The scores as a model file keeps them."""
    return scores.model_dump(exclude={"per_image", "confusion"}, mode="json")


def _follow(world: World) -> NoReturn:
    """What all but the first process do: learn with it, and end."""
    folder, again = world.called()
    seen, decided = _of_run(folder)
    with world.in_turn():
        job = prepare(folder, seen.samples, decided, world=world)
    fit(job, resume=again)
    world.leave()
    raise SystemExit(0)


def _spread(decided: Plan, world: World, devices: int | None, nodes: int | None, strategy: str | None) -> Plan:
    """The plan for as many processes as there are, or are asked for.

    Raises:
        SettingError: they cannot share the training.
    """
    now = decided.device
    if world.place.started:
        device = world.settings(now, strategy)
    else:
        device = spread(now, devices or now.devices, nodes or now.nodes, strategy)
    freezes = any(stage.freeze for stage in decided.training.stages)
    demand_shares(decided.sampling.batch, device, freezes=freezes)
    said = "as many as have been started" if world.place.started else "as asked for"
    reasons = {"device.devices": said} if device.processes > 1 else {}
    return decided.model_copy(update={"device": device, "reasons": {**decided.reasons, **reasons}})


def _decided(
    seen: Inspection,
    plan: Plan | None,
    recipe: Recipe | None,
    budget: Budget | None,
    memory: float | None,
    device: str | DeviceSettings,
    seed: int,
    wishes: Mapping[str, Any],
) -> Plan:
    """The plan that was given, with the wishes in it, or the recipe's, or a new one."""
    where = device if isinstance(device, DeviceSettings) else choose(device)
    options: dict[str, Any] = {"budget": budget, "device": where, "seed": seed, "wishes": wishes}
    if plan is not None:
        decided = plan.with_wishes(wishes) if device == "auto" else plan.with_wishes({**wishes, "device": where})
        demand_here(decided.device)
    elif recipe is not None:
        decided = follow(recipe, seen.fingerprint, **options)
    else:
        decided = decide(seen.fingerprint, memory=memory, measure=trial if is_here(where) else None, **options)
    demand_fitting(decided, seen.fingerprint)
    demand_healthy(decided)
    return decided


def _budget(minutes: float | None, epochs: float | None) -> Budget | None:
    if minutes is None and epochs is None:
        return None
    return Budget.read({"minutes": minutes, "epochs": epochs}, "the budget")


def _new_folder(out: str | Path | None, data: object) -> Path:
    """A folder for the run that holds nothing yet."""
    if out is not None:
        folder = Path(out)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SettingError(
                f"{folder} is there already and not empty. Give another --out, or go on with it: --resume {folder}"
            )
        return folder
    name = Path(data.samples.root if isinstance(data, Inspection) else str(data)).resolve().stem
    numbered = (Path("runs") / f"{name}-{n}" for n in range(1, 100_000))
    return next(folder for folder in numbered if not folder.exists())


def _telling(watch: Watch | None, what: str) -> Callable[[int, int], None] | None:
    return None if watch is None else lambda done, total: watch(what, done, total)


def _run_of(model: object) -> Path | None:
    """The run folder that a model file lies in."""
    folder = Path(model).parent if isinstance(model, str | Path) else None
    return folder if folder is not None and (folder / "plan.yaml").is_file() else None


def _samples_of(run: Path | None, data: str | Path | Samples | None, watch: Watch | None, options: Any) -> Samples:
    if isinstance(data, Samples):
        return data
    if data is not None:
        return index(data, workers=cores(), progress=_telling(watch, "reading"), **options)
    if run is None:
        raise DataError("Say on which folder to evaluate: the model does not lie in its run folder.")
    return Samples.load(run / "samples.json")


def _part(samples: Samples, description: Description, split: str) -> list[Any]:
    """The labelled samples of a part; an image the model knows keeps the part it had when the model was trained.

    Of equal images in several parts, as empty frames often are, each keeps the part that its own data set says.
    """
    if split not in {"train", "val", "test"}:
        raise SettingError(f"There is no part {split!r}; there are train, val, test, and all.")
    if description.members:  # an image may be in a part for one member and in another for the next
        parts = {content: part for part, contents in description.split.items() for content in contents}
        inside = set(description.split.get(split, ()))
        return [
            s for s in samples.samples if s.mask and (s.content in inside if s.content in parts else s.split == split)
        ]
    known = _parts(description)
    return [s for s in samples.samples if s.mask and known.get(s.content, s.split) == split]


def _parts(description: Description) -> dict[str, str]:
    """The part each image had when the model was trained, by content; without those that were in several."""
    said = [(content, part) for part, contents in description.split.items() for content in set(contents)]
    times = Counter(content for content, _ in said)
    return {content: part for content, part in said if times[content] == 1}


def _keep_scores(run: Path, scores: Scores, gallery: Gallery) -> None:
    scores.save(run / f"scores-{scores.split}.json")
    with suppress(FileNotFoundError):
        shutil.rmtree(run / "pictures" / scores.split)
    gallery.write(run / "pictures" / scores.split)
