"""Using models: prediction, ensembles, scores."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from maskwright.api.folders import keep_scores
from maskwright.api.looking import Watch, telling
from maskwright.data.index import index
from maskwright.data.learned_objects import ObjectSettings
from maskwright.data.sample import Samples
from maskwright.devices import cores
from maskwright.errors import DataError, SettingError
from maskwright.evaluation import Scores
from maskwright.evaluation import evaluate as score
from maskwright.evaluation.gallery import Gallery
from maskwright.evaluation.report import write_report
from maskwright.evaluation.scores import chosen_metrics
from maskwright.inference import Prediction, Predictor
from maskwright.inference import ensemble as ensembles
from maskwright.inference.apart import apart, separation
from maskwright.inference.inputs import expanded, windows_in
from maskwright.inference.many import Written, write_all
from maskwright.inference.one import Asked, Guard
from maskwright.inference.opening import Image
from maskwright.inference.outputs import wanted
from maskwright.inference.predictor import Source
from maskwright.modelfile import Description
from maskwright.regions.clean_up import CleanUp, CleanUpStep
from maskwright.tiling import Tiles, Views


def load(
    model: Source | Sequence[Source],
    *,
    device: str = "auto",
    tiles: Tiles | None = None,
    views: Views | None = None,
    runtime: str = "torch",
) -> Predictor:
    """A predictor for a model file; call it with a file or an array. Of several files, or of a file that holds several
    models, it gives the mean of their probabilities.

    model: a path, or `hf://OWNER/NAME` or `hf://OWNER/NAME@REVISION` for one on the Hugging Face Hub, see
        `hub.located`; so it is wherever a model file is asked for.
    tiles, views: how large images are cut, and in which ways each is looked at; None: as the model's plan says.
    runtime: what computes it, see `maskwright.runtimes`; `auto`: the fastest that is installed, measured once.

    Raises:
        ModelFileError: it is no model of ours, is damaged, or comes from a later version.
        SettingError: several do not fit together: channels, kind of value and classes must be the same; or the runtime
            is not there.
        DownloadError: it cannot be had from the Hub.
    """
    return Predictor(model, device=device, tiles=tiles, views=views, runtime=runtime)


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
    model: Source | Sequence[Source] | Predictor, image: Image, *, probabilities: bool = False, device: str = "auto"
) -> Prediction:
    """The prediction for one image: a file, an array H W or H W C, a picture of Pillow's, a tensor H W or C H W."""
    predictor = model if isinstance(model, Predictor) else load(model, device=device)
    return predictor(image, probabilities=probabilities)


def predict_files(
    model: Source | Sequence[Source] | Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    outputs: Sequence[str] = (),
    objects: str | ObjectSettings | None = None,
    clean_up: Sequence[str] | CleanUp = (),
    views: Views | None = None,
    window: int | None = None,
    guard: Guard = "warn",
    overwrite: bool = False,
    jobs: int | None = None,
    device: str = "auto",
    runtime: str = "auto",
) -> Iterator[Written]:
    """Predict files, folders and patterns: `OUT/STEM.png` of each, in its own size and the training masks' values.

    A TIFF with a place on a map, a pyramid or a value for "no data" gets `OUT/STEM.tif` that has them too, a Zarr a
    Zarr, and a stack a TIFF with a page for each of its own; what else is written of its pages is called STEM_00,
    STEM_01 … Memory does not grow with an image's height. An image that does not open stops none of the others.
    Stopped and called again, it goes on where it stopped: `OUT/predicted.jsonl` says what is done.

    outputs: what else is to be written, as `overlay` or `probabilities=uint8`; see `maskwright predict --outputs`.
    objects: how objects that touch are taken apart for outputs of objects: border, centre, distance or none; None: as
        the model was trained.
    clean_up: what is mended in the labels, in this order, as `drop_specks:smaller_than=50`; see `regions.clean_up`.
    views: in which ways each image is looked at, where that is not the model's plan's; None: as the plan says.
    window: pixels a side of the windows that large images are cut into; None: as the plan says.
    guard: warn: images unlike those of the training are told; strict: they are refused; off: nobody looks.
    overwrite: do all anew, and write over what is there already.
    jobs: images that are worked on at a time; None: as many as there are cores.
    runtime: what computes the networks; auto: the fastest that is installed, if the job is long enough to measure.

    Raises:
        DataError: an input matches nothing, two would be called the same, a file is there already, or the disk is full.
        SettingError: there is no such output; or the model has learned no borders or centres.
    """
    found = expanded(inputs)
    if isinstance(model, Predictor):
        predictor = model
    else:
        predictor = Predictor(model, device=device, views=views, window=window, runtime=runtime, work=windows_in(found))
    about = predictor.description
    texts = outputs if any(text.partition("=")[0].strip() == "mask" for text in outputs) else ["mask", *outputs]
    mending = clean_up if isinstance(clean_up, CleanUp) else CleanUp(steps=tuple(map(CleanUpStep.parse, clean_up)))
    mending.demand_fit(about.labels.names, about.labels.background)
    asked = Asked(wanted(texts), apart(about, objects), mending, guard)
    return write_all(predictor, found, Path(out), asked, overwrite=overwrite, jobs=jobs)


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
        metrics=wanted, separate=separation(predictor.description), watch=gallery.watch,
        progress=telling(watch, "evaluating"),
    )  # fmt: skip
    of_the_run = {content for contents in predictor.description.split.values() for content in contents}
    if run is not None and all(s.content in of_the_run for s in part):
        keep_scores(run, scores, gallery)
        write_report(run)
    return scores


def _run_of(model: object) -> Path | None:
    """The run folder that a model file lies in."""
    folder = Path(model).parent if isinstance(model, str | Path) else None
    return folder if folder is not None and (folder / "samples.json").is_file() else None


def _samples_of(run: Path | None, data: str | Path | Samples | None, watch: Watch | None, options: Any) -> Samples:
    if isinstance(data, Samples):
        return data
    if data is not None:
        return index(data, workers=cores(), progress=telling(watch, "reading"), **options)
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
