"""Using models: prediction, ensembles, scores."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.api.folders import keep_scores
from maskwright.api.looking import Watch, telling
from maskwright.data.index import index
from maskwright.data.sample import Samples
from maskwright.devices import cores
from maskwright.errors import DataError, SettingError
from maskwright.evaluation import Scores
from maskwright.evaluation import evaluate as score
from maskwright.evaluation.gallery import Gallery, overlay
from maskwright.evaluation.report import write_report
from maskwright.evaluation.scores import chosen_metrics
from maskwright.files import write_image
from maskwright.inference import Prediction, Predictor
from maskwright.inference import ensemble as ensembles
from maskwright.inference.masks import Written, write_masks
from maskwright.inference.predictor import Source
from maskwright.modelfile import Description
from maskwright.records import replacing
from maskwright.tiling import Tiles


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
        metrics=wanted, watch=gallery.watch, progress=telling(watch, "evaluating"),
    )  # fmt: skip
    of_the_run = {content for contents in predictor.description.split.values() for content in contents}
    if run is not None and all(s.content in of_the_run for s in part):
        keep_scores(run, scores, gallery)
        write_report(run)
    return scores


def _write_beside(target: Path, image_HWC: NDArray[Any], prediction: Prediction, *, overlays: bool) -> None:
    """What is asked for besides the mask, called as the mask."""
    if overlays:
        write_image(target.with_suffix(".overlay.png"), overlay(image_HWC, prediction.labels, prediction.classes))
    if prediction.probabilities is not None:
        with replacing(target.with_suffix(".probabilities.npy")) as temporary:
            np.save(temporary, prediction.probabilities)


def _run_of(model: object) -> Path | None:
    """The run folder that a model file lies in."""
    folder = Path(model).parent if isinstance(model, str | Path) else None
    return folder if folder is not None and (folder / "plan.yaml").is_file() else None


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
