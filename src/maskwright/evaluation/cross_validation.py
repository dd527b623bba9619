"""Cross-validation: what the folds say together. Each image is scored once, by the one model that has not seen it."""

import statistics
from collections.abc import Sequence
from typing import Final

import numpy as np

from maskwright.errors import DataError
from maskwright.evaluation.scores import Scores, scores_of
from maskwright.records import Record

NAME: Final = "cross-validation.json"
MODEL: Final = "model.safetensors"


class FoldScores(Record):
    """One fold: how good the model is that was trained on the others."""

    fold: int
    """From 0."""
    images: int
    mean_iou: float | None
    accuracy: float | None
    classes: dict[str, dict[str, float | None]]
    """Class → metric → score; None for a class that none of the fold's images shows."""
    steps: int
    seconds: float
    """Of the training."""
    ended: str
    """Why it was over."""


class Spread(Record):
    """A score over folds."""

    mean: float
    deviation: float | None
    """Of a sample, with one degree of freedom less than folds; None for a single fold."""
    folds: int
    """Those that have the score."""

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.deviation is None else f" ± {self.deviation:.4f}")


class CrossValidation(Record):
    """`cross-validation.json`: what is known so far. It is there from the first moment and grows with each fold."""

    folds: int
    """How many there are."""
    done: tuple[FoldScores, ...] = ()
    """Those that are trained and scored, in their order."""
    mean_iou: Spread | None = None
    accuracy: Spread | None = None
    classes: dict[str, dict[str, Spread | None]] = {}
    """Over the folds that are done. Folds share most of their training images, so the deviation is smaller than that of
    models trained on data of their own (Bengio and Grandvalet 2004)."""
    pooled: Scores | None = None
    """Out of fold: all images of the training part, each scored by the model that has not seen it; the interval is by
    drawing the images anew. None until all folds are done."""

    @property
    def finished(self) -> bool:
        """Whether all folds are done."""
        return len(self.done) == self.folds

    def with_folds(self, done: Sequence[FoldScores], parts: Sequence[Scores]) -> "CrossValidation":
        """The record after these folds. parts: their validation scores."""
        return CrossValidation(
            folds=self.folds,
            done=tuple(done),
            mean_iou=spread([one.mean_iou for one in done]),
            accuracy=spread([one.accuracy for one in done]),
            classes={
                name: {metric: spread([one.classes[name][metric] for one in done]) for metric in scores}
                for name, scores in (done[0].classes.items() if done else ())
            },
            pooled=pooled(parts) if len(done) == self.folds else None,
        )


def fold_scores(fold: int, scores: Scores, *, steps: int, seconds: float, ended: str) -> FoldScores:
    """A fold's line, from the scores on its validation part."""
    return FoldScores(
        fold=fold,
        images=scores.images,
        mean_iou=scores.mean_iou,
        accuracy=scores.accuracy,
        classes={one.name: one.scores for one in scores.classes},
        steps=steps,
        seconds=seconds,
        ended=ended,
    )


def pooled(parts: Sequence[Scores]) -> Scores:
    """The scores of all images together, each as the model of its own part scored it.

    Raises:
        DataError: an image is in two parts, or the parts do not say what each image's pixels were called.
    """
    of_images = [image for part in parts for image in part.per_image]
    if len({image.name for image in of_images}) < len(of_images):
        raise DataError("An image is scored by two folds. Scores can only be pooled of parts that share no image.")
    if any(not image.pixels for image in of_images if image.accuracy is not None):
        raise DataError("The scores of a fold do not say what its pixels were called: an earlier version wrote them.")
    names = [one.name for one in parts[0].classes]
    confusions_NKK = np.zeros((len(of_images), len(names), len(names)), np.int64)
    for confusion, image in zip(confusions_NKK, of_images, strict=True):
        for true, said, pixels in image.pixels:
            confusion[true, said] = pixels
    seen = [name for part in parts for name in part.trained_on]
    return scores_of("out-of-fold", names, of_images, confusions_NKK, seen)


def spread(values: Sequence[float | None]) -> Spread | None:
    """Mean and deviation of the scores that there are; None if there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    deviation = statistics.stdev(known) if len(known) > 1 else None
    return Spread(mean=statistics.fmean(known), deviation=deviation, folds=len(known))
