"""The metric of the 2018 Data Science Bowl, which finds nuclei."""

import numpy as np

from maskwright.metrics.regions import Regions, counted, objects_of, overlaps
from maskwright.metrics.registry import ImageResult, image_metrics
from maskwright.metrics.salt import PERCENT


class DataScienceBowl:
    """The mean over the thresholds 0.50, 0.55 … 0.95 of TP / (TP + FP + FN), counted in objects.

    A true and a predicted object match (TP) if their IoU is greater than the threshold; above one half, no object has
    two matches. Predicted objects are the pieces of the predicted foreground, where pixels that share a side or a
    corner (8-connectivity) belong together; true objects are those that the data number, else the pieces of the
    true mask. Pixels ignored in truth are taken away from both afterwards.

    An image with objects on one side only has 0, by the formula. For one without any object the formula says 0 / 0 and
    the contest, whose images all show nuclei, says nothing: it has 1 here, as an empty mask has in the salt contest.

    Caicedo et al. 2019, Nature Methods 16:1247; https://www.kaggle.com/c/data-science-bowl-2018
    """

    uses_probabilities = False
    uses_objects = True
    smaller_is_better = False

    def __call__(self, result: ImageResult) -> float | None:
        """The score, 0 … 1; None where every pixel is ignored."""
        return _precision(*objects_of(result)) if counted(result).any() else None


def _precision(true_HW: Regions, said_HW: Regions) -> float:
    true, said, both = overlaps(true_HW, said_HW)
    true_sizes, said_sizes = (np.bincount(numbers, weights=both) for numbers in (true, said))
    objects = np.count_nonzero(true_sizes[1:]) + np.count_nonzero(said_sizes[1:])
    if not objects:
        return 1.0
    inside = (true > 0) & (said > 0)
    both = both[inside]
    either = true_sizes[true[inside]] + said_sizes[said[inside]] - both
    hits = (100 * both[:, None] > PERCENT * either[:, None]).sum(axis=0)
    # TP + FP + FN: of all objects, each matched pair is counted once.
    return float((hits / (objects - hits)).mean())


image_metrics.register("dsb2018")(DataScienceBowl())
