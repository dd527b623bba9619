"""The street on one page: folder → samples → fingerprint → plan → network → training → model file → scores → report.

These functions are the public Python API, and what the command line calls. Each returns a record or a small object.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskwright import modelfile, recipes
from maskwright.data import doctor
from maskwright.data.cleaning import write_clean
from maskwright.data.doctor import Finding
from maskwright.data.fingerprint import Fingerprint, fingerprint
from maskwright.data.index import index
from maskwright.data.names import page_path
from maskwright.data.room import is_full
from maskwright.data.sample import Samples
from maskwright.data.survey import Asked, survey
from maskwright.data.unchanged import demand_unchanged
from maskwright.devices import choose, cores
from maskwright.errors import (
    CheckpointError,
    DataError,
    MaskwrightError,
    ModelFileError,
    ReadError,
    SettingError,
    TerminatedError,
)
from maskwright.evaluation import Scores
from maskwright.evaluation import evaluate as score
from maskwright.evaluation.diagnosis import Diagnosis
from maskwright.evaluation.gallery import Gallery, data_pictures, overlay
from maskwright.evaluation.range_picture import draw_range
from maskwright.evaluation.report import write_report
from maskwright.evaluation.scores import chosen_metrics
from maskwright.files import (
    encode_runs,
    pages_in,
    read_image,
    write_image,
    write_mask,
    write_mask_stack,
    write_run_lengths,
)
from maskwright.inference import Prediction, Predictor
from maskwright.inference.inputs import demand_runs, expanded, is_stack, targets
from maskwright.modelfile import Description
from maskwright.plan import Plan, decide, demand_fitting, follow
from maskwright.recipes import Recipe, build
from maskwright.records import is_half_written, replacing, sweep, sync_folder
from maskwright.settings import Budget
from maskwright.tiling import Tiles
from maskwright.training import checkpoint, lock
from maskwright.training.callbacks import Callback
from maskwright.training.job import Outcome
from maskwright.training.loop import fit
from maskwright.training.prepare import description, golden, housed, prepare
from maskwright.training.range_test import RangeTest, range_test
from maskwright.training.signals import TERMINATED

__all__ = [
    "Diagnosis", "Inspection", "Run", "Written", "build", "clean", "diagnose", "evaluate", "find_lr", "inspect",
    "load", "look", "plan", "predict", "predict_files", "resume", "train",
]  # fmt: skip

UNFINISHED: Final = "unfinished"
"""A file that lies in a run's folder from the first to the last moment of the run."""
INTERRUPTED: Final = "interrupted"
"""A file that lies beside it when the training was stopped, and says why."""
_BEGUN: Final = ("samples.json", "fingerprint.json", "plan.yaml")
"""What a run begins with, in that order."""

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
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    recipe: str | Path | Recipe | None = None,
    **inspection: Any,
) -> Plan:
    """The plan for a folder, without training: every setting with its reason.

    recipe: a recipe to follow, by name or as a `.yaml` file; everything is then as it says.
    """
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, **inspection)
    return _decided(seen, None, followed, _budget(minutes, epochs), device, seed, settings or {})


def train(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    callbacks: Sequence[Callback] = (),
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> Run:
    """Train a model on a folder of images and masks.

    out: the run's folder, which must not exist or be empty; a new one under `runs/` if not given.
    minutes, epochs: the budget; minutes count from reading the data to the model file.
    settings: values of the plan by dotted key, e.g. {"model.depth": 3}.
    plan: a whole plan to follow instead of deciding one.
    recipe: a recipe to follow, by name or as a `.yaml` file (`maskwright recipes` lists them).
    planned: told what was found and decided before training begins.

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
        TerminatedError: SIGTERM came; `resume` goes on.
        MaskwrightError: training broke off, or its model could not be written; the notes say what is kept.
    """
    started = time.monotonic()
    folder = _new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    decided = _decided(seen, plan, followed, _budget(minutes, epochs), device, seed, settings or {})
    decided = housed(folder, seen.samples, decided)
    folder.mkdir(parents=True, exist_ok=True)
    with lock.held(folder):
        _demand_nothing(folder)  # since it was looked at, another may have begun and ended there
        with _said_when_full(folder):
            _begin(folder)
            for name, record in zip(_BEGUN, (seen.samples, seen.fingerprint, decided), strict=True):
                record.save(folder / name)
            sync_folder(folder)
        if planned:
            planned(seen, decided, folder)
        return _run(folder, seen, decided, started, callbacks, watch, again=False)


def find_lr(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
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
    folder = _new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    decided = _decided(seen, plan, followed, _budget(minutes, epochs), device, seed, settings or {})
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


def resume(
    run: str | Path, *, workers: int | None = None, callbacks: Sequence[Callback] = (), watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
) -> Run:  # fmt: skip
    """Go on with a run that was stopped or killed, at whatever moment; also only to write its model and report. On a
    CPU the model is the one it would have been, bit for bit.

    workers: so many processes that read crops, instead of as many as before.

    Raises:
        CheckpointError: there is nothing to resume, the run is finished, or another process is at work in it.
        DataError: images or masks are gone or changed since the run began.
        TerminatedError, MaskwrightError: as for `train`.
    """
    started = time.monotonic()
    folder = Path(run)
    if not (folder / "plan.yaml").is_file() and _holds_nothing(folder) and (folder / UNFINISHED).is_file():
        raise CheckpointError(
            f"Nothing was learnt yet in {folder}: the run was stopped before it had a plan. Give the command that "
            "began it again; it writes over what lies there."
        )
    for name in _BEGUN:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is not a run: it has no {name}. Give the folder that train made.")
    stopped = any((folder / marker).exists() for marker in (UNFINISHED, INTERRUPTED))
    if (folder / "model.safetensors").exists() and not stopped:
        raise CheckpointError(f"{folder} is finished: its model is {folder / 'model.safetensors'}.")
    with lock.held(folder):
        with _said_when_full(folder):
            sweep(folder)
            _begin(folder)
        seen = Inspection(Samples.load(folder / "samples.json"), Fingerprint.load(folder / "fingerprint.json"))
        decided = Plan.load(folder / "plan.yaml")
        if workers is not None:
            decided = decided.with_settings({"device.workers": workers})
        demand_unchanged(
            seen.samples, [*seen.samples.part("train"), *seen.samples.part("val")],
            since=(folder / "samples.json").stat().st_mtime_ns, workers=cores(), progress=_telling(watch, "checking"),
        )  # fmt: skip
        if planned:
            planned(seen, decided, folder)
        return _run(folder, seen, decided, started, callbacks, watch, again=checkpoint.exists(folder))


def load(model: str | Path, *, device: str = "auto", tiles: Tiles | None = None) -> Predictor:
    """A predictor for a model file; call it with a file or an array.

    Raises:
        ModelFileError: it is no model of ours, is damaged, or comes from a later version.
    """
    return Predictor(model, device=device, tiles=tiles)


def predict(
    model: str | Path | Predictor,
    image: str | Path | NDArray[Any],
    *,
    probabilities: bool = False,
    device: str = "auto",
) -> Prediction:
    """The prediction for one image, a file or an array H W or H W C."""
    predictor = model if isinstance(model, Predictor) else load(model, device=device)
    return predictor(image, probabilities=probabilities)


@dataclass(frozen=True)
class Written:
    """One input of `predict_files`: the mask that was written for it, or why there is none."""

    image: Path
    mask: Path | None
    error: MaskwrightError | None = None


def predict_files(
    model: str | Path | Predictor,
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
    out = Path(out)
    if runs is not None:
        demand_runs(Path(runs), predictor.description.labels, overwrite=overwrite)
    found: list[tuple[str, str]] = []
    for image, target in targets(expanded(inputs), out, overwrite=overwrite).items():
        pages: list[int | None] = list(range(pages_in(image))) if is_stack(image) else [None]
        masks, rows = [], []
        try:
            for page in pages:
                image_HWC = read_image(image, page)
                prediction = predictor(image_HWC, probabilities=probabilities)
                masks.append(prediction.mask)
                beside = page_path(target, page, len(pages))
                _write_beside(beside, image_HWC, prediction, overlays=overlays)
                if runs is not None:
                    rows.append((beside.stem, encode_runs(prediction.labels)))
        except MaskwrightError as error:
            yield Written(image, None, error)
            continue
        style = predictor.description.labels.style
        if pages == [None]:
            write_mask(target, masks[0], style)
        else:
            write_mask_stack(target, masks, style)
        found += rows
        yield Written(image, target)
    if runs is not None:
        write_run_lengths(runs, found)


def evaluate(
    model: str | Path | Predictor,
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


def _run(
    folder: Path,
    seen: Inspection,
    decided: Plan,
    started: float,
    callbacks: Sequence[Callback],
    watch: Watch | None,
    *,
    again: bool,
) -> Run:
    """From the plan to the report, all in one run folder."""
    with _said_when_full(folder):
        job = prepare(folder, seen.samples, decided, _telling(watch, "decoding"))
        sample = golden(job)
    job.seconds_used = time.monotonic() - started
    outcome = fit(job, callbacks, resume=again, rescue=partial(_rescued, folder, seen, decided, sample))
    del job  # what it has mapped of the decoded images would keep their room on the disk
    if outcome.reason == TERMINATED:
        _mark(folder, outcome)
        raise TerminatedError(f"The system asked to end; the training is saved. Go on with: {_again(folder)}")
    with _said_when_full(folder):
        try:
            scores = _written(folder, seen, decided, sample, outcome, watch)
        except (ReadError, DataError) as error:
            error.add_note(f"Training is over and loses nothing: mend that, then finish with {_again(folder)}")
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
    _mark(folder, outcome)
    about = description(folder, seen.samples, seen.fingerprint, decided, outcome)
    _keep_model(folder, outcome, about, sample)
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
        brief = {"val": scores.model_dump(exclude={"per_image", "confusion"}, mode="json")}
        _keep_model(folder, outcome, about.model_copy(update={"scores": brief}), sample)
    write_report(folder)
    return scores


def _rescued(folder: Path, seen: Inspection, decided: Plan, sample: Tensor, outcome: Outcome) -> str:
    """Model, scores and report of the best so far of a training that broke off; says what is kept."""
    _mark(folder, outcome)
    about = description(folder, seen.samples, seen.fingerprint, decided, outcome)
    _keep_model(folder, outcome, about, sample)
    told = f"The best model so far is kept: {folder / 'model.safetensors'}. Once that is mended, {_again(folder)}"
    try:
        _written(folder, seen, decided, sample, outcome)
    except (MaskwrightError, OSError) as error:  # an image that is gone is gone for the scores too
        with suppress(MaskwrightError, OSError):
            write_report(folder)
        told += f"\nIt could not be scored: {error}"
    return told


def _begin(folder: Path) -> None:
    """Say in the folder that it is not finished."""
    (folder / UNFINISHED).write_text(f"At work, or stopped. Go on with: {_again(folder)}\n", "utf-8")


def _mark(folder: Path, outcome: Outcome) -> None:
    """Say in the folder that the training was stopped and why, or no longer."""
    marker = folder / INTERRUPTED
    if outcome.finished:
        marker.unlink(missing_ok=True)
    else:
        text = f"The training was stopped: {outcome.reason}. Go on with: {_again(folder)}\n"
        with suppress(OSError):  # on a full disk the model needs the room more
            marker.write_text(text, "utf-8")


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
        error.add_note(f"{what} {_again(folder)}")
        raise


@contextmanager
def _said_when_full(folder: Path) -> Iterator[None]:
    """A block that writes into a run's folder; if the disk is full, the error says what to do.

    Raises:
        CheckpointError: it is.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise CheckpointError(
            f"The disk of {folder} is full ({error.strerror}: {error.filename or 'a file'}). Free some space, then go "
            f"on: {_again(folder)}"
        ) from error


def _again(folder: Path) -> str:
    return f"maskwright train --resume {folder}"


def _decided(
    seen: Inspection,
    plan: Plan | None,
    recipe: Recipe | None,
    budget: Budget | None,
    device: str,
    seed: int,
    wishes: Mapping[str, Any],
) -> Plan:
    """The plan that was given, with the wishes in it, or the recipe's, or a new one."""
    options: dict[str, Any] = {"budget": budget, "device": choose(device), "seed": seed, "wishes": wishes}
    if plan is not None:
        decided = plan.with_wishes(wishes)
    elif recipe is not None:
        decided = follow(recipe, seen.fingerprint, **options)
    else:
        decided = decide(seen.fingerprint, **options)
    demand_fitting(decided, seen.fingerprint)
    return decided


def _budget(minutes: float | None, epochs: float | None) -> Budget | None:
    if minutes is None and epochs is None:
        return None
    return Budget.read({"minutes": minutes, "epochs": epochs}, "the budget")


def _new_folder(out: str | Path | None, data: object) -> Path:
    """A folder for the run that holds nothing yet."""
    if out is not None:
        folder = Path(out)
        if folder.exists():
            _demand_nothing(folder)
        return folder
    name = Path(data.samples.root if isinstance(data, Inspection) else str(data)).resolve().stem
    numbered = (Path("runs") / f"{name}-{n}" for n in range(1, 100_000))
    return next(folder for folder in numbered if not folder.exists())


def _demand_nothing(folder: Path) -> None:
    """Nothing, if a run may begin in a folder.

    Raises:
        SettingError: there is something in it.
    """
    if not _holds_nothing(folder):
        raise SettingError(
            f"{folder} is there already and not empty. Give another --out, or go on with it: --resume {folder}"
        )


def _holds_nothing(folder: Path) -> bool:
    """Whether a folder is empty, but for what a run left that was killed before it had a plan."""
    debris = {*_BEGUN[:-1], UNFINISHED, lock.NAME}
    return folder.is_dir() and all(path.name in debris or is_half_written(path) for path in folder.iterdir())


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
