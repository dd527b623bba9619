"""Scores: one confusion matrix over all pixels at the images' own size, and one an image."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data.index import Samples
from maskwright.data.sample import Sample
from maskwright.errors import DataError
from maskwright.inference import Prediction, Predictor
from maskwright.metrics import Confusion, class_metrics, confusion_matrix, mean_iou, pixel_accuracy
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

    def of(self, name: str, metric: str = "dice") -> float | None:
        """A class's score, e.g. `scores.of("foreground")`."""
        return next(c.scores[metric] for c in self.classes if c.name == name)


def evaluate(
    predictor: Predictor,
    samples: Samples,
    part: Sequence[Sample],
    split: str,
    *,
    watch: Callable[[Sample, NDArray[Any], NDArray[np.uint8], Prediction], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """The scores of a model on labelled samples.

    watch: shown each sample with its image H W C, its labels H W and the prediction.

    Raises:
        DataError: there is nothing to score, or the data's classes are not the model's.
    """
    demand_same_classes(predictor, samples)
    if not part:
        raise DataError(f"{samples.root} has no labelled image in its {split} part. Name some with --test PATTERN.")
    count = samples.labels.count
    confusions: list[Confusion] = []
    for done, (sample, image, labels) in enumerate(_read_ahead(samples, part), start=1):
        prediction = predictor(image)
        confusions.append(confusion_matrix(prediction.labels, labels, count))
        if watch:
            watch(sample, image, labels, prediction)
        if progress:
            progress(done, len(part))
    known = set(predictor.description.split.get("train", ()))
    return _scores(split, samples.labels.names, part, np.stack(confusions), [s for s in part if s.content in known])


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


def _read_ahead(samples: Samples, part: Sequence[Sample]) -> Iterator[tuple[Sample, NDArray[Any], NDArray[np.uint8]]]:
    """Each sample with its image and labels, the next one read while this one is predicted."""

    def read(sample: Sample) -> tuple[Sample, NDArray[Any], NDArray[np.uint8]]:
        return sample, samples.image(sample), samples.labels_of(sample)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read, part[0])
        for following in part[1:]:
            ready, waiting = waiting.result(), pool.submit(read, following)
            yield ready
        yield waiting.result()


def _scores(
    split: str, names: list[str], part: Sequence[Sample], confusions_NKK: NDArray[np.int64], seen: list[Sample]
) -> Scores:
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
    return Scores(
        split=split,
        images=len(part),
        mean_iou=_or_none(mean_iou(total)),
        mean_iou_interval=_interval(confusions_NKK),
        accuracy=_or_none(pixel_accuracy(total)),
        classes=classes,
        confusion=tuple(tuple(row) for row in total.tolist()),
        per_image=tuple(_of_image(s.name, names, c) for s, c in zip(part, confusions_NKK, strict=True)),
        trained_on=tuple(s.name for s in seen),
    )


def _of_image(name: str, names: list[str], confusion: Confusion) -> ImageScores:
    dice = class_metrics["dice"](confusion)
    return ImageScores(
        name=name,
        mean_iou=_or_none(mean_iou(confusion)),
        accuracy=_or_none(pixel_accuracy(confusion)),
        dice={k: _or_none(v) for k, v in zip(names, dice, strict=True)},
    )


def _interval(confusions_NKK: NDArray[np.int64]) -> tuple[float, float] | None:
    """The percentile bootstrap over images: pixels of one image are no independent witnesses, images are."""
    n = len(confusions_NKK)
    if n < 2:
        return None
    rng = np.random.default_rng(0)
    # How often each image is drawn, rather than the draws themselves: one matrix product makes all the sums.
    times = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    totals = (times @ confusions_NKK.reshape(n, -1)).reshape(RESAMPLES, *confusions_NKK.shape[1:])
    scores = np.array([mean_iou(total) for total in totals])
    low, high = np.nanpercentile(scores, [2.5, 97.5]) if np.isfinite(scores).any() else (math.nan, math.nan)
    return None if math.isnan(low) else (float(low), float(high))


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
