"""Average precision of objects, as Cellpose and StarDist have it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from maskwright.metrics.regions import classes_of, counted, objects_of, overlaps
from maskwright.metrics.registry import ImageResult, image_metrics

Numbers = NDArray[np.int64]
HALF: Final = (50,)
RISING: Final = tuple(range(50, 100, 5))
"""In hundredths, so that a comparison is one of whole numbers."""


class AveragePrecision:
    """TP / (TP + FP + FN) in objects, at an IoU of 0.5 (`ap50`) or as the mean over 0.50, 0.55 … 0.95 (`ap`); the mean
    over the image's classes.

    A true and a predicted object of one class match (TP) if their IoU is at least the threshold; each has one match at
    most, and of all ways to match the one with most matches counts. This is what Cellpose and StarDist call average
    precision and accuracy; the area under a precision-recall curve, COCO's AP, ranks objects by a confidence, and masks
    have none.
    From `dsb2018` it differs where an IoU is exactly a threshold: there it has to be greater.

    Objects are those that are numbered, in truth and prediction, else the 8-connected pieces of each class, without
    pixels that are ignored in truth; an object's class is the one that most of its pixels have. An image without any
    object on either side has no score.

    Stringer et al. 2021, Nature Methods 18:100; Schmidt et al. 2018, MICCAI, 265.
    """

    uses_probabilities = False
    uses_objects = True
    smaller_is_better = False

    def __init__(self, thresholds: tuple[int, ...]):
        self.thresholds = thresholds

    def __call__(self, result: ImageResult) -> float | None:
        """The score, 0 … 1; None where there is no object, or every pixel is ignored."""
        scores = self.by_class(result)
        return float(np.mean(list(scores.values()))) if scores else None

    def by_class(self, result: ImageResult) -> dict[int, float]:
        """The score of each class that any object is of."""
        if not counted(result).any():
            return {}
        true_HW, found_HW = objects_of(result)
        true, found, both = overlaps(true_HW, found_HW)
        true_sizes, found_sizes = (np.bincount(numbers, weights=both) for numbers in (true, found))
        true_class, found_class = classes_of(true_HW, result.true_HW), classes_of(found_HW, result.labels_HW)
        there = [true_class[1:][true_sizes[1:] > 0], found_class[1:][found_sizes[1:] > 0]]
        inside = (true > 0) & (found > 0) & (true_class[true] == found_class[found])
        true, found, both = true[inside], found[inside], both[inside]
        either = true_sizes[true] + found_sizes[found] - both
        scores = dict[int, float]()
        for label in np.unique(np.concatenate(there)).tolist():
            own = true_class[true] == label
            count = sum(np.count_nonzero(classes == label) for classes in there)
            hits = [_most_matches(true, found, own & (100 * both >= p * either)) for p in self.thresholds]
            # TP + FP + FN: of all objects, each matched pair is counted once.
            scores[label] = float(np.mean([hit / (count - hit) for hit in hits]))
        return scores


def _most_matches(true_P: Numbers, found_P: Numbers, good_P: NDArray[np.bool_]) -> int:
    """The greatest number of pairs, of those that are good enough, in which no object is twice.

    Above an IoU of one half no object has two; at one half it can have, where two halves make up a whole.
    """
    true_P, found_P = true_P[good_P], found_P[good_P]
    if not len(true_P):
        return 0
    size = int(true_P.max()) + 1, int(found_P.max()) + 1
    return int(
        (maximum_bipartite_matching(csr_array((np.ones(len(true_P), bool), (true_P, found_P)), size)) >= 0).sum()
    )


image_metrics.register("ap50")(AveragePrecision(HALF))
image_metrics.register("ap")(AveragePrecision(RISING))
