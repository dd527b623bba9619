"""Parts of a data set that are unlike each other."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.doctor.evidence import PARTS, labelled, names, over_channels, published
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey
from maskwright.records import IGNORED

LEVEL: Final = 1e-3
"""How often a random split of like images would be told, all comparisons together."""
EFFECT: Final = 0.75
"""How often an image of the one part must lie above one of the other. 0.5 is no difference; 0.71 is called a large one
(a difference of means of 0.8 standard deviations, Cohen 1988)."""
FEWEST: Final = 5


class Parts:
    """Parts that differ in brightness, contrast, colour, size or class shares by more than the draw explains.

    Ranks are compared (Mann and Whitney 1947), so nothing is assumed of the numbers. Told where the difference is both
    certain and large: neither a slight one in many images nor a large one in three is worth a word.
    """

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Validation, then test, each against training."""
        samples = labelled(survey)
        measures = {**_of_images(samples), **_of_classes(survey, samples)}
        parts = np.array([sample.split or "" for sample in samples])
        others = [part for part in ("val", "test") if (parts == part).sum() >= FEWEST]
        if (parts == "train").sum() < FEWEST:
            return
        for part in others:
            lines = []
            for name, values in measures.items():
                a, b = values[parts == part], values[parts == "train"]
                above, chance = ranked(a, b)
                if max(above, 1 - above) >= EFFECT and chance < LEVEL / (len(measures) * len(others)):
                    lines.append(
                        f"{name}: median {np.median(a):.3g} against {np.median(b):.3g} in training; "
                        f"{100 * max(above, 1 - above):.0f} % of the pairs lie {'above' if above > 0.5 else 'below'} "
                        f"(p = {chance:.0e})"
                    )
            if lines:
                yield _finding(survey, part, [s for s in samples if s.split == part], lines)


def _of_images(samples: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    """A number an image for each thing that is compared."""
    out = {
        "brightness": over_channels([s.mean for s in samples]),
        "contrast": over_channels([s.std for s in samples]),
        "size in pixels": np.array([s.height * s.width for s in samples], float),
    }
    if samples and all(sample.channels == 3 for sample in samples):
        mean_NC = np.array([sample.mean for sample in samples], float)
        share_NC = mean_NC / np.maximum(mean_NC.sum(axis=1, keepdims=True), 1e-9)
        out |= {f"share of {colour}": share_NC[:, i] for i, colour in ((0, "red"), (2, "blue"))}
    return out


def _of_classes(survey: Survey, samples: Sequence[Sample]) -> dict[str, NDArray[np.float64]]:
    if survey.samples is None:
        return {}
    labels = survey.samples.labels
    label_of = labels.label_of
    pixels_NK = np.zeros((len(samples), labels.count))
    for row, sample in zip(pixels_NK, samples, strict=True):
        for value, pixels in sample.values.items():
            if (label := label_of.get(value, IGNORED)) != IGNORED:
                row[label] += pixels
    share_NK = pixels_NK / np.maximum(pixels_NK.sum(axis=1, keepdims=True), 1)
    kept = range(1, 2) if labels.count == 2 else range(labels.count)  # of two the one says all of the other
    return {f"share of {labels.names[label]}": share_NK[:, label] for label in kept}


def ranked(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """How often a number of `a` lies above one of `b`, ties half, and how often chance alone gives as much."""
    both = np.concatenate([a, b])
    if both.min() == both.max():
        return 0.5, 1.0
    ordered, place, times = np.unique(both, return_inverse=True, return_counts=True)
    n, m = len(a), len(b)
    if min(n, m) <= 8 and len(ordered) == n + m:
        from scipy.stats import mannwhitneyu  # counts all orders; takes a second to import

        found = mannwhitneyu(a, b, alternative="two-sided")
        return float(found.statistic) / (n * m), float(found.pvalue)
    ranks = np.cumsum(times) - (times - 1) / 2
    above = float(ranks[place[:n]].sum()) - n * (n + 1) / 2
    # Of many numbers it is normally distributed, the less widely the more ties there are.
    ties = float((times.astype(float) ** 3 - times).sum()) / ((n + m) * (n + m - 1))
    deviation = math.sqrt(n * m / 12 * (n + m + 1 - ties))
    distance = max(above, n * m - above) - n * m / 2 - 0.5
    return above / (n * m), min(1.0, math.erfc(distance / deviation / math.sqrt(2)))


def _finding(survey: Survey, part: str, samples: list[Sample], lines: list[str]) -> Finding:
    given = published(survey)
    as_published = all(sample.name in given for sample in samples)
    what = ", ".join(line.split(":")[0] for line in lines)
    return Finding(
        code=f"shift-{part}",
        severity="note" if as_published else "warning",
        title=f"The {PARTS[part]} part differs from the training part in {what}",
        files=(),
        why=f"A random split would not look like this; the {PARTS[part]} score speaks of other images than "
        "those learned from." + (" The split is as published, so it may be meant." if as_published else ""),
        remedy="Nothing to do to compare with others; for parts that are alike draw them anew, stratified or by groups."
        if as_published
        else "If both should be alike, draw the parts anew: stratified, or by groups; else add such images to the "
        "training part.",
        pictures=names(samples, 3),
        details=tuple(lines),
    )


checks.register("parts")(Parts())
