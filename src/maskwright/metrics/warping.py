"""The warping error of ISBI-2012: what no shifting of borders explains."""

from collections.abc import Callable

import numpy as np

from maskwright.metrics.regions import Mask, counted, cuts, foreground_share, true_foreground
from maskwright.metrics.registry import ImageResult, image_metrics
from maskwright.metrics.simple_points import joins_or_cuts, warped


class WarpingError:
    """The share of pixels that still differ once the truth is warped, smallest over thresholds 0.0 to 0.9.

    Warped is the true mask: its pixels are flipped towards the prediction, each only if that joins, cuts, makes and
    fills nothing (a simple point), the most certain first. A border that lies elsewhere costs nothing then; what
    remains are objects split, merged, missed or made up, and holes. Foreground, in ISBI-2012 the cells, is
    4-connected, the background 8-connected, and outside of the image there is background. At ignored pixels the
    truth is taken to be what is predicted. The challenge's board counted fewer of these pixels: see
    split_merge_error. It chose one threshold for the whole stack; here every image has its own best.

    V. Jain et al. 2010, Boundary learning by optimization with topological constraints, CVPR
    """

    uses_probabilities = True
    uses_objects = False
    smaller_is_better = True

    def __call__(self, result: ImageResult) -> float | None:
        """The error, 0 … 1; None where every pixel is ignored."""
        return _smallest(result, lambda warped_HW, wrong_HW: wrong_HW)


class SplitMergeError:
    """The share of pixels that, once the truth is warped, split an object or merge two, smallest over thresholds.

    Of the pixels that the warping error counts, only those that would cut an object in two or join two if they
    followed the prediction; objects missed or made up and holes are left out. This is what the board of ISBI-2012
    calls its warping error (0.000353 for the U-Net of 2015), to the best of our knowledge: its page names the
    "minimum splits and mergers warping error". Its software tells the kinds of error apart by the object numbers in
    a 3 × 3 neighbourhood, which may differ from ours by single pixels where objects touch at a corner. A prediction
    without any foreground splits and merges nothing, so this number never stands alone: if a model is certain of
    nothing, the highest threshold leaves none.

    Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142
    """

    uses_probabilities = True
    uses_objects = False
    smaller_is_better = True

    def __call__(self, result: ImageResult) -> float | None:
        """The error, 0 … 1; None where every pixel is ignored."""
        return _smallest(result, joins_or_cuts)


def _smallest(result: ImageResult, errors: Callable[[Mask, Mask], Mask]) -> float | None:
    """The smallest share of pixels that are errors, given the warped truth and where it still differs."""
    there = counted(result)
    if not there.any():
        return None
    true, share = true_foreground(result), foreground_share(result)
    found = []
    for threshold, said in cuts(result):
        start = np.where(there, true, said)
        moved = warped(start, said, np.abs(share - threshold))
        found.append(int(errors(moved, moved != said).sum()))
    return min(found) / int(there.sum())


image_metrics.register("warping_error")(WarpingError())
image_metrics.register("split_merge_error")(SplitMergeError())
