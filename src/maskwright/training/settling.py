"""When a score has settled: what ends a training of which nobody said how long it is to be."""

from collections.abc import Sequence
from itertools import accumulate

RISE = 0.002
SHARE = 0.02
"""A smoothed score that rises by less, or by less than this share of all its rise, is not said to rise."""
FEWEST = 8
"""Validations before anything is said."""
SMOOTHING = 0.6
"""Weight of the past in the smoothed score."""
FALL = 0.3
"""Steps at a falling rate, over those before. Hägele et al. 2024, arXiv 2405.18392, find 0.2 to be enough."""


def settled(scores: Sequence[float]) -> bool:
    """Whether the smoothed score has not risen in the last quarter of the validations, and in at least four.

    The longer a training took to get where it is, the longer it is given to get further.
    """
    if len(scores) < FEWEST:
        return False
    waited = max(4, len(scores) // 4)
    highest = list(accumulate(smoothed(scores), max))
    return highest[-1] - highest[-1 - waited] < max(RISE, SHARE * (highest[-1] - highest[0]))


def smoothed(scores: Sequence[float]) -> list[float]:
    """Exponential means of the scores, each divided by the weight that is in it."""
    found, mean = [], 0.0
    for number, score in enumerate(scores, start=1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * score
        found.append(mean / (1 - SMOOTHING**number))
    return found


def falling_steps(step: int) -> int:
    """How many steps the rate falls for, once the score has settled after so many."""
    return max(1, round(FALL * step))
