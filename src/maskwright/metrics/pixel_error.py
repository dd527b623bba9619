"""The pixel error of ISBI-2012."""

from maskwright.metrics.regions import Mask, counted, cuts, true_foreground
from maskwright.metrics.registry import ImageResult, image_metrics


class PixelError:
    """One minus the best F-score of the foreground's pixels, 2 TP / (2 TP + FP + FN), over thresholds 0.0 to 0.9.

    In ISBI-2012 the foreground is the cells. To the best of our knowledge this is the number of the challenge's board
    (0.0611 for the U-Net of 2015): its page defines the pixel error so, and adds that it is a squared distance, which
    would be the plain share of wrong pixels. The board chose one threshold for the whole stack; here every image has
    its own best, which is a little kinder. Without probabilities the labels are the one thing to score.

    Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142
    """

    uses_probabilities = True
    uses_objects = False
    smaller_is_better = True

    def __call__(self, result: ImageResult) -> float | None:
        """The error, 0 … 1; None where every pixel is ignored."""
        there = counted(result)
        if not there.any():
            return None
        true = true_foreground(result)
        return 1 - max(_f_score(true, said & there) for _, said in cuts(result))


def _f_score(true: Mask, said: Mask) -> float:
    """The F-score; 1 where there is nothing to find and nothing is said."""
    sizes = int(true.sum()) + int(said.sum())
    return 2 * int((true & said).sum()) / sizes if sizes else 1.0


image_metrics.register("pixel_error")(PixelError())
