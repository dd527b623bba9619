"""Panoptic quality of objects."""

import numpy as np
from numpy.typing import NDArray

from maskwright.metrics.regions import classes_of, counted, found_objects, objects_of, overlaps
from maskwright.metrics.registry import ImageResult, image_metrics


class PanopticQuality:
    """PQ = SQ · RQ: the mean IoU of matched objects, times TP / (TP + ½ FP + ½ FN); the mean over the image's classes.

    A true and a predicted object of one class match (TP) if their IoU is greater than one half, so that none has two
    matches. An object's class is the one that most of its pixels have; label 0 is background and no class. Objects are
    those that are numbered, in truth and prediction, else the 8-connected pieces of each class.

    Pixels ignored in truth count in no IoU, and a predicted object without a match of which more than half is ignored
    is no false positive. An image without any object on either side has no score. The paper adds up the objects of all
    images before it divides; here each image has a score of its own, and the data set the mean.

    Kirillov et al. 2019, CVPR, 9404.
    """

    uses_probabilities = False
    uses_objects = True
    smaller_is_better = False

    def __call__(self, result: ImageResult) -> float | None:
        """The score, 0 … 1; None where no object counts."""
        scores = self.by_class(result)
        return float(np.mean(list(scores.values()))) if scores else None

    def by_class(self, result: ImageResult) -> dict[int, float]:
        """The score of each class that any object that counts is of."""
        if not counted(result).any():
            return {}
        true_HW, found_HW = objects_of(result)
        true, found, both = overlaps(true_HW, found_HW)
        sizes = [np.bincount(numbers, weights=both) for numbers in (true, found)]
        classes = [classes_of(true_HW, result.true_HW), classes_of(found_HW, result.labels_HW)]
        inside = (true > 0) & (found > 0)
        true, found, both = true[inside], found[inside], both[inside]
        iou = both / (sizes[0][true] + sizes[1][found] - both)
        match = (iou > 0.5) & (classes[0][true] == classes[1][found])
        missed, wrong = sizes[0] > 0, (sizes[1] > 0) & ~_mostly_ignored(result, sizes[1])
        missed[true[match]] = wrong[found[match]] = missed[0] = wrong[0] = False
        scores = dict[int, float]()
        for label in sorted({*classes[0][missed], *classes[1][wrong], *classes[0][true[match]]}):
            own = classes[0][true[match]] == label
            errors = np.count_nonzero(classes[0][missed] == label) + np.count_nonzero(classes[1][wrong] == label)
            scores[int(label)] = float(iou[match][own].sum() / (np.count_nonzero(own) + errors / 2))
        return scores


def _mostly_ignored(result: ImageResult, counted_N: NDArray[np.number]) -> NDArray[np.bool_]:
    """Which predicted objects have more ignored pixels than counted ones."""
    ignored_N = np.bincount(found_objects(result)[~counted(result)], minlength=len(counted_N))
    return ignored_N[: len(counted_N)] > counted_N


image_metrics.register("pq")(PanopticQuality())
