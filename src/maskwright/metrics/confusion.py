"""The confusion matrix, and the scores that need nothing else."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskwright.errors import DataError
from maskwright.metrics.registry import Confusion, class_metrics
from maskwright.records import IGNORED


def confusion_matrix(
    predicted: Tensor | NDArray[np.integer], labels: Tensor | NDArray[np.integer], classes: int
) -> Confusion:
    """Pixels by true class (rows) and predicted class (columns); ignored pixels are left out. Shapes alike, any.

    Raises:
        DataError: a pixel that counts has, or was given, a label that is no class.
    """
    predicted, labels = _flat(predicted), _flat(labels)
    counted = labels != IGNORED
    true_N, said_N = labels[counted], predicted[counted]
    for what, found in (("labels", true_N), ("predictions", said_N)):
        # Counted all the same, such a pixel would turn up as another pair of classes.
        if len(found) and not 0 <= (worst := int(found.max() if found.max() >= classes else found.min())) < classes:
            raise DataError(f"The {what} hold {worst}; with {classes} classes they are 0 … {classes - 1}.")
    counts = torch.bincount(true_N * classes + said_N, minlength=classes * classes)
    return counts.reshape(classes, classes).cpu().numpy()


@class_metrics.register("iou")
def iou(confusion: Confusion) -> NDArray[np.float64]:
    """Intersection over union of each class: TP / (TP + FP + FN); NaN for a class without a pixel."""
    hit, true, said = _counts(confusion)
    return _share(hit, true + said - hit, occurs=true > 0)


@class_metrics.register("dice")
def dice(confusion: Confusion) -> NDArray[np.float64]:
    """Dice of each class: 2 TP / (2 TP + FP + FN), also called F1; NaN for a class without a pixel."""
    hit, true, said = _counts(confusion)
    return _share(2 * hit, true + said, occurs=true > 0)


@class_metrics.register("precision")
def precision(confusion: Confusion) -> NDArray[np.float64]:
    """Of the pixels called so, the share that is so; NaN for a class without a pixel, or never predicted."""
    hit, true, said = _counts(confusion)
    return _share(hit, said, occurs=(true > 0) & (said > 0))


@class_metrics.register("recall")
def recall(confusion: Confusion) -> NDArray[np.float64]:
    """Of the pixels that are so, the share called so; NaN for a class without a pixel."""
    hit, true, _ = _counts(confusion)
    return _share(hit, true, occurs=true > 0)


def mean_iou(confusion: Confusion) -> float:
    """The mean IoU over the classes that occur; NaN where none does."""
    scores = iou(confusion)
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def pixel_accuracy(confusion: Confusion) -> float:
    """The share of pixels that got their class; NaN where there is no pixel."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def _flat(values: Tensor | NDArray[np.integer]) -> Tensor:
    """All values in a row, int64; arrays are copied, as views and memory maps make no tensor."""
    return (values if isinstance(values, Tensor) else torch.from_numpy(np.array(values, np.int64))).reshape(-1).long()


def _counts(confusion: Confusion) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """True positives, pixels of the class, pixels predicted as the class; each K."""
    return np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64], occurs: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=occurs)
