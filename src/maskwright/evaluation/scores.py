"""Scores: one confusion matrix over all pixels at the images' own size, and one an image."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.data.labels import Labels
from maskwright.data.sample import Sample, Samples
from maskwright.errors import DataError
from maskwright.inference import Prediction, Predictor
from maskwright.metrics import (
    ByClass,
    Confusion,
    ImageMetric,
    ImageResult,
    class_metrics,
    confusion_matrix,
    image_metrics,
    mean_iou,
    pixel_accuracy,
)
from maskwright.records import Record

RESAMPLES = 1000
"""Draws of the bootstrap: the ends of a 95 % interval are then good to about a tenth of its width."""


class ClassScores(Record):
    """One class over all images. Scores of a class that does not occur are None, never 0 or 1."""

    name: str
    pixels: int
    """Pixels that are of the class."""
    predicted: int
    """Pixels that were called so."""
    scores: dict[str, float | None]
    """By metric: iou, dice, precision, recall and whatever else is on the list."""

    @property
    def absent(self) -> bool:
        """Whether no pixel is of the class."""
        return self.pixels == 0


class ImageScores(Record):
    """One image on its own."""

    name: str
    mean_iou: float | None
    accuracy: float | None
    dice: dict[str, float | None]
    """By class; None where the class does not occur in the image."""
    contests: dict[str, float | None] = {}
    """By image metric, of those that were asked for; None where it does not apply to the image."""
    pixels: tuple[tuple[int, int, int], ...] = ()
    """True label, predicted label, pixels: the image's confusion matrix where it is not 0. With it, scores of several
    models on images of their own can be pooled exactly."""


class Scores(Record):
    """How good a model is on a set of images."""

    split: str
    images: int
    mean_iou: float | None
    """Over the classes that occur, from the pixels of all images together."""
    mean_iou_interval: tuple[float, float] | None
    """95 % of it, by drawing the images anew; None for fewer than two images."""
    accuracy: float | None
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Pixels by true class (rows) and predicted class (columns)."""
    per_image: tuple[ImageScores, ...]
    trained_on: tuple[str, ...] = ()
    """Images of this set that the model has been trained on: their scores say little."""
    contests: dict[str, float | None] = {}
    """By image metric, of those that were asked for: the mean over the images that have one."""
    contests_interval: dict[str, tuple[float, float] | None] = {}
    """95 % of each, by drawing the images anew; None for fewer than two images that have one."""

    def of(self, name: str, metric: str = "dice") -> float | None:
        """A class's score, e.g. `scores.of("foreground")`."""
        return next(c.scores[metric] for c in self.classes if c.name == name)


def evaluate(
    predictor: Predictor,
    samples: Samples,
    part: Sequence[Sample],
    split: str,
    *,
    metrics: Sequence[str] = (),
    separate: Callable[[Prediction], NDArray[np.int32]] | None = None,
    watch: Callable[[Sample, NDArray[Any], NDArray[np.uint8], Prediction], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """The scores of a model on labelled samples.

    metrics: names of image metrics to score besides, e.g. `salt`.
    separate: the objects of a prediction by number, H W, for the metrics that look at objects, where the data tell
        true ones apart; None: the connected pieces of its foreground.
    watch: shown each sample with its image H W C, its labels H W and the prediction.

    Raises:
        DataError: there is nothing to score, or the data's classes are not the model's.
        SettingError: a metric is unknown.
    """
    wanted = chosen_metrics(metrics)
    demand_same_classes(predictor, samples)
    if not part:
        raise DataError(f"{samples.root} has no labelled image in its {split} part. Name some with --test PATTERN.")
    count = samples.labels.count
    # Probabilities of a large image are many numbers, so they are made only for those who ask.
    options = {"probabilities": True} if any(metric.uses_probabilities for metric in wanted.values()) else {}
    with_objects = any(metric.uses_objects for metric in wanted.values())
    confusions: list[Confusion] = []
    contests: list[dict[str, float | None]] = []
    for done, (sample, image, labels, objects) in enumerate(_read_ahead(samples, part, with_objects), start=1):
        prediction = predictor(image, **options)
        confusions.append(confusion_matrix(prediction.labels, labels, count))
        # Against a truth in which touching objects are one, those that were told apart would be mistakes.
        found = separate(prediction) if separate and objects is not None else None
        result = ImageResult(prediction.labels, labels, prediction.probabilities, objects, found)
        contests.append(_contests(wanted, result, samples.labels))
        if watch:
            watch(sample, image, labels, prediction)
        if progress:
            progress(done, len(part))
    known = set(predictor.description.split.get("train", ()))
    seen = [s for s in part if s.content in known]
    shown = [name for name in contests[0] if name in wanted or any(one[name] is not None for one in contests)]
    contests = [{name: one[name] for name in shown} for one in contests]
    of_images = [
        _of_image(sample.name, samples.labels.names, confusion, own)
        for sample, confusion, own in zip(part, confusions, contests, strict=True)
    ]
    return scores_of(split, samples.labels.names, of_images, np.stack(confusions), [s.name for s in seen])


def _contests(wanted: Mapping[str, ImageMetric], result: ImageResult, labels: Labels) -> dict[str, float | None]:
    """The scores of an image; of objects of several classes those of each class too, as `ap50 of cat`."""
    found: dict[str, float | None] = {}
    for name, metric in wanted.items():
        if isinstance(metric, ByClass) and len(labels.foreground) > 1:
            by_class = metric.by_class(result)
            found[name] = float(np.mean(list(by_class.values()))) if by_class else None
            found |= {f"{name} of {labels.names[label]}": by_class.get(label) for label in labels.foreground}
        else:
            found[name] = metric(result)
    return found


def chosen_metrics(names: Sequence[str]) -> dict[str, ImageMetric]:
    """The image metrics of these names, each once.

    Raises:
        SettingError: there is none of that name; names the nearest.
    """
    return {name: image_metrics[name] for name in names}


def contest_rows(scores: Scores) -> list[tuple[str, str, str]]:
    """Name, value and remark of each contest score, as text; four digits, of a small one three that count."""

    def written(value: float) -> str:
        return f"{value:.4f}" if value == 0 or value >= 0.01 else f"{value:.3g}"

    rows = []
    for name, value in scores.contests.items():
        interval = scores.contests_interval.get(name)
        remarks = [f"95 % interval {written(interval[0])} … {written(interval[1])}"] if interval else []
        # Scores may have been written where a plug-in was installed that is not here.
        if name in image_metrics.names() and image_metrics[name].smaller_is_better:
            remarks.append("smaller is better")
        images = sum(one.contests.get(name) is not None for one in scores.per_image)
        if images < scores.images:
            remarks.append(f"applies to {images} of {scores.images} images")
        rows.append((name, "–" if value is None else written(value), ", ".join(remarks)))
    return rows


def demand_same_classes(predictor: Predictor, samples: Samples) -> None:
    """Nothing, if the data's masks mean what the model was trained on.

    Raises:
        DataError: the classes' names or values differ.
    """
    ours, theirs = predictor.description.labels, samples.labels
    if [c.name for c in ours.classes] != [c.name for c in theirs.classes]:
        raise DataError(
            f"The model knows the classes {', '.join(ours.names)}; {samples.root} has {', '.join(theirs.names)}. Name "
            "the classes alike in dataset.yaml, in the same order."
        )


class _Read(NamedTuple):
    sample: Sample
    image: NDArray[Any]
    labels: NDArray[np.uint8]
    objects: NDArray[np.integer] | None


def _read_ahead(samples: Samples, part: Sequence[Sample], with_objects: bool) -> Iterator[_Read]:
    """Each sample with its image, labels and true objects, the next one read while this one is predicted."""
    objects_of = samples.objects_of if with_objects else None

    def read(sample: Sample) -> _Read:
        objects = objects_of(sample) if objects_of else None
        return _Read(sample, samples.image(sample), samples.labels_of(sample), objects)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read, part[0])
        for following in part[1:]:
            ready, waiting = waiting.result(), pool.submit(read, following)
            yield ready
        yield waiting.result()


def scores_of(
    split: str,
    names: Sequence[str],
    of_images: Sequence[ImageScores],
    confusions_NKK: NDArray[np.int64],
    seen: Sequence[str],
) -> Scores:
    """The scores of images that were scored one by one: N images, K classes.

    seen: the images that were trained on.
    """
    total = confusions_NKK.sum(axis=0)
    by_metric = {name: metric(total) for name, metric in class_metrics.items()}
    classes = tuple(
        ClassScores(
            name=name,
            pixels=int(total[k].sum()),
            predicted=int(total[:, k].sum()),
            scores={metric: _or_none(values[k]) for metric, values in by_metric.items()},
        )
        for k, name in enumerate(names)
    )
    contests = [image.contests for image in of_images]
    asked = dict.fromkeys(name for one in contests for name in one)  # in folds, not all have objects of all classes
    found = {name: [one[name] for one in contests if one.get(name) is not None] for name in asked}
    known = {name: np.array(values, float) for name, values in found.items()}
    return Scores(
        split=split,
        images=len(of_images),
        mean_iou=_or_none(mean_iou(total)),
        mean_iou_interval=_interval(confusions_NKK),
        accuracy=_or_none(pixel_accuracy(total)),
        classes=classes,
        confusion=tuple(tuple(row) for row in total.tolist()),
        per_image=tuple(of_images),
        trained_on=tuple(seen),
        contests={name: float(values.mean()) if len(values) else None for name, values in known.items()},
        contests_interval={name: _mean_interval(values) for name, values in known.items()},
    )


def _of_image(name: str, names: list[str], confusion: Confusion, contests: dict[str, float | None]) -> ImageScores:
    places = zip(*np.nonzero(confusion), strict=True)
    dice = class_metrics["dice"](confusion)
    return ImageScores(
        name=name,
        mean_iou=_or_none(mean_iou(confusion)),
        accuracy=_or_none(pixel_accuracy(confusion)),
        dice={k: _or_none(v) for k, v in zip(names, dice, strict=True)},
        contests=contests,
        pixels=tuple((int(true), int(said), int(confusion[true, said])) for true, said in places),
    )


def _interval(confusions_NKK: NDArray[np.int64]) -> tuple[float, float] | None:
    """The percentile bootstrap over images: pixels of one image are no independent witnesses, images are."""
    n = len(confusions_NKK)
    if n < 2:
        return None
    totals = (_draws(n) @ confusions_NKK.reshape(n, -1)).reshape(RESAMPLES, *confusions_NKK.shape[1:])
    scores = np.array([mean_iou(total) for total in totals])
    low, high = np.nanpercentile(scores, [2.5, 97.5]) if np.isfinite(scores).any() else (math.nan, math.nan)
    return None if math.isnan(low) else (float(low), float(high))


def _mean_interval(values_N: NDArray[np.float64]) -> tuple[float, float] | None:
    """The same of a mean over images."""
    n = len(values_N)
    if n < 2:
        return None
    low, high = np.percentile(_draws(n) @ values_N / n, [2.5, 97.5])
    return float(low), float(high)


def _draws(n: int) -> NDArray[np.int64]:
    """How often each of n images is drawn, RESAMPLES × n: a matrix product with it makes all the sums at once."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
