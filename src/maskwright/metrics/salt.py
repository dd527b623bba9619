"""The metric of the TGS Salt Identification Challenge."""

import numpy as np

from maskwright.metrics.regions import counted, true_foreground
from maskwright.metrics.registry import ImageResult, image_metrics

PERCENT = np.arange(50, 100, 5)
"""The ten thresholds 0.50, 0.55 … 0.95, as whole numbers so that an IoU of exactly 0.55 is not above 0.55."""


class Salt:
    """Of the thresholds 0.50, 0.55 … 0.95, the share that the IoU of the whole foreground is above.

    With an empty true mask the score is 1 if nothing is predicted, else 0. The contest's text calls an object a hit
    if its IoU is *greater than* the threshold, and so do we; some public kernels write ≥. Ignored pixels are left out.

    TGS Salt Identification Challenge, 2018: https://www.kaggle.com/c/tgs-salt-identification-challenge
    """

    uses_probabilities = False
    uses_objects = False
    smaller_is_better = False

    def __call__(self, result: ImageResult) -> float | None:
        """The score, 0 … 1; None where every pixel is ignored."""
        there = counted(result)
        if not there.any():
            return None
        true, said = true_foreground(result), (result.labels_HW > 0) & there
        if not true.any():
            return float(not said.any())
        both, either = int((true & said).sum()), int((true | said).sum())
        return float((100 * both > PERCENT * either).mean())


image_metrics.register("salt")(Salt())
