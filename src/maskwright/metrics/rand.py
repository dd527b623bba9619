"""How well the pixels of one cell stay together, and those of two cells apart: the Rand scores of ISBI-2012."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from maskwright.metrics.regions import Mask, Overlaps, Regions, cuts, overlaps, pieces, true_foreground
from maskwright.metrics.registry import ImageResult, image_metrics


class RandError:
    """One minus the best F-score, over thresholds 0.0 to 0.9, of the foreground-restricted Rand index.

    Of all pairs of pixels of the true foreground: with tp pairs in one region in truth and in the prediction, t in one
    region in truth and s in the prediction, F = 2 tp / (t + s), the mean of precision tp / s and recall tp / t.
    Regions are the 4-connected pieces of the foreground, in ISBI-2012 the cells; a pixel predicted as background is in
    no region, so in no pair. The challenge chose one threshold for the whole stack; here every image has its own best,
    which is a little kinder.

    Unnikrishnan et al. 2005, CVPR workshops; Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142
    """

    uses_probabilities = True
    uses_objects = False
    smaller_is_better = True

    def __call__(self, result: ImageResult) -> float | None:
        """The error, 0 … 1; None where there is no true foreground."""
        best = _best(result, pieces, _rand_of_pairs)
        return None if best is None else 1 - best


class VRand:
    """The best Rand score after border thinning, over thresholds 0.0 to 0.9: V_rand with α = ½ of the paper.

    With p_ij the share of true foreground pixels in predicted region i and true region j, and s_i and t_j its sums:
    Σ p_ij² / (½ Σ s_i² + ½ Σ t_j²). *Thinned* as the challenge's script does it: true background is left out, and the
    predicted borders are thinned to lines one pixel wide, by letting the predicted regions grow into them at equal
    pace (a watershed, 4-connected); each pixel of the lines is a region of its own. The challenge chose one threshold
    for the whole stack; here every image has its own best.

    Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142
    """

    uses_probabilities = True
    uses_objects = False
    smaller_is_better = False

    def __call__(self, result: ImageResult) -> float | None:
        """The score, 0 … 1; None where there is no true foreground."""
        return _best(result, thinned, _rand)


class VInfo:
    """The best information score after border thinning, over thresholds 0.0 to 0.9: V_info with α = ½ of the paper.

    With S and T the predicted and true region of a pixel of the true foreground: I(S; T) / (½ H(S) + ½ H(T)), mutual
    information over mean entropy. Regions, thinning and thresholds are those of V_rand. Where both entropies are zero,
    one and the same region, the score is 1.

    Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142
    """

    uses_probabilities = True
    uses_objects = False
    smaller_is_better = False

    def __call__(self, result: ImageResult) -> float | None:
        """The score, 0 … 1; None where there is no true foreground."""
        return _best(result, thinned, _information)


class Table(NamedTuple):
    """Pixels of the true foreground: in each pair of regions, in each true and each predicted one, and alone."""

    pairs: np.ndarray
    true: np.ndarray
    said: np.ndarray
    alone: int
    """Pixels in no predicted region; each counts as one of its own."""

    @property
    def total(self) -> int:
        """All pixels of the true foreground."""
        return int(self.true.sum())


def thinned(mask_HW: Mask) -> Regions:
    """The pieces of a mask, grown into the background until lines one pixel wide are left between them, H W."""
    from skimage.segmentation import watershed

    seeds = pieces(mask_HW)
    if not seeds.any():
        return seeds
    # On level ground a watershed is a race: who is nearer has the pixel.
    grown: Regions = watershed(np.zeros(mask_HW.shape), seeds, connectivity=1, watershed_line=True)
    return grown


def _best(result: ImageResult, regions: Callable[[Mask], Regions], score: Callable[[Table], float]) -> float | None:
    """The best score over the thresholds; None where there is no true foreground."""
    inside = true_foreground(result)
    if not inside.any():
        return None
    true = pieces(inside)[inside]
    return max(score(_table(overlaps(true, regions(said)[inside]))) for _, said in cuts(result))


def _table(shared: Overlaps) -> Table:
    true, said, pixels = shared
    in_region = said > 0
    return Table(
        pairs=pixels[in_region],
        true=np.bincount(true, weights=pixels).astype(np.int64),
        said=np.bincount(said[in_region], weights=pixels[in_region]).astype(np.int64),
        alone=int(pixels[~in_region].sum()),
    )


def _rand_of_pairs(table: Table) -> float:
    """F-score of the pairs of different pixels; 1 where there is no pair at all."""
    together, true, said = (int((n * (n - 1)).sum()) for n in table[:3])
    return 2 * together / (true + said) if true + said else 1.0


def _rand(table: Table) -> float:
    """The same with each pixel paired with itself too, as sums of squared shares have it."""
    together, true, said = (int((n * n).sum()) for n in table[:3])
    return 2 * (together + table.alone) / (true + said + table.alone)


def _information(table: Table) -> float:
    """Mutual information over the mean of the entropies."""
    alone = table.alone / table.total * np.log(table.total)
    both, true, said = (_entropy(n / table.total) for n in table[:3])
    both, said = both + alone, said + alone
    # Differences of entropies: rounding must not lead below 0 or above 1.
    return float(np.clip(2 * (true + said - both) / (true + said), 0, 1)) if true + said > 0 else 1.0


def _entropy(shares: np.ndarray) -> float:
    """−Σ p log p, in nats."""
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


image_metrics.register("rand_error")(RandError())
image_metrics.register("v_rand")(VRand())
image_metrics.register("v_info")(VInfo())
