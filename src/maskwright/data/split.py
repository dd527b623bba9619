"""The split: which samples are trained on, validated on, and kept for the test."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from maskwright.data.dataset_file import DatasetFile, checked_share
from maskwright.data.labels import Labels
from maskwright.data.names import matches
from maskwright.data.randomness import number
from maskwright.data.sample import Sample
from maskwright.errors import DataError, SettingError
from maskwright.records import IGNORED

VALIDATION_SHARE = 0.15
BINS = 10
"""Strata of equal width in foreground share, besides the one of images without any."""


@dataclass(frozen=True)
class Draw:
    """How images are drawn for a part that nobody named.

    Each image's place in the order of drawing is a hash of its name and the seed, so the order of the files means
    nothing. A share draws what lies below it: about as many, and adding an image never moves another. A number of
    images draws the first so many: exact, and adding one may move the one at the border.

    Stratified, images are parted by how much foreground they show (none; up to 1/10; up to 2/10 …), and each stratum
    gives its share, rounded such that all together are exact. Adding an image may move the one at the border of its
    stratum, and that of one other stratum, which takes or leaves the place that rounding gives.
    """

    val: float | None = None
    test: float | None = None
    """Below 1 a share, from 1 a number of images; of the labelled ones that are in no part yet. None for val: the
    usual share, if there are no validation images."""
    stratify: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("val", "test"):
            if (value := getattr(self, name)) is not None:
                try:
                    checked_share(value)
                except ValueError as error:
                    raise SettingError(f"{name}: {value} of the images cannot be drawn; {error}.") from None
        if max(shares := [share for share in (self.val, self.test) if share], default=1) < 1 <= sum(shares):
            raise SettingError(f"val: {self.val} and test: {self.test} leave nothing to train on.")

    @classmethod
    def stated(
        cls, stated: DatasetFile, share: float | None, test_share: float | None, stratify: bool, seed: int
    ) -> "Draw":
        """What is asked for, else what the data set's file says."""
        return cls(
            stated.split.share("val") if share is None else share,
            stated.split.share("test") if test_share is None else test_share,
            stratify or stated.split.stratify,
            seed or stated.split.seed,
        )


def assign(
    samples: list[Sample],
    shown: Sequence[Path],
    root: Path,
    stated: DatasetFile,
    test: Sequence[str],
    val: Sequence[str],
    draw: Draw,
    labels: Labels,
) -> tuple[list[Sample], str | None]:
    """Every sample with its part: as asked for, else as published, else by its name; and what was drawn, if asked for.

    shown: the images' paths, as patterns mean them.

    Raises:
        DataError: a pattern matches nothing, a share is asked for a part that has images, or nothing is left.
    """
    parts = _as_said(samples, shown, root, stated, test, val)
    pool = [i for i, s in enumerate(samples) if parts[i] == "train" and s.mask]
    reasons = [_drawn(part, pool, parts, samples, draw, labels, root) for part in _DRAWN]
    if draw.stratify and not any(reasons):
        reasons = ["nothing to stratify: the parts are as published or named"]
    if not any(part == "train" and s.mask for s, part in zip(samples, parts, strict=True)):
        raise DataError(f"No image of {root} is left to train on: all are set aside for validation or test.")
    out = [s.model_copy(update={"split": part}) for s, part in zip(samples, parts, strict=True)]
    return out, "; ".join(filter(None, reasons)) or None


def _as_said(
    samples: list[Sample],
    shown: Sequence[Path],
    root: Path,
    stated: DatasetFile,
    test: Sequence[str],
    val: Sequence[str],
) -> list[str]:
    # The last one wins: what is to be kept for the test is never trained on.
    asked = {
        "train": stated.split.patterns("train"),
        "val": (*val, *stated.split.patterns("val")),
        "test": (*test, *stated.split.patterns("test")),
    }
    parts: list[str | None] = [sample.split for sample in samples]
    for split, patterns in asked.items():
        for pattern in patterns:
            hits = [i for i, path in enumerate(shown) if matches(path, root, [pattern])]
            if not hits:
                raise DataError(f"The {split} pattern {pattern!r} matches no image in {root}.")
            for i in hits:
                parts[i] = split
    return [part or "train" for part in parts]


def _drawn(
    part: Literal["test", "val"],
    pool: list[int],
    parts: list[str],
    samples: list[Sample],
    draw: Draw,
    labels: Labels,
    root: Path,
) -> str | None:
    """What was drawn for a part, in words, if it was asked for; `parts` has it then. pool: places to draw from."""
    asked = draw.val if part == "val" else draw.test
    there = sum(now == part and bool(s.mask) for s, now in zip(samples, parts, strict=True))
    if there and asked is not None:
        raise DataError(
            f"{there} images of {root} are in the {part} part already, by name or as published, so that no share of "
            f"them can be drawn. Leave out the share for {part}, or the patterns."
        )
    if there or (part == "test" and asked is None):
        return None
    share = VALIDATION_SHARE if asked is None else asked
    names = [samples[i].name if parts[i] == "train" else None for i in pool]
    if share >= max(1, free := sum(name is not None for name in names)):
        raise DataError(f"{share:.0f} {part} images were asked for, but only {free} of {root} can be drawn from.")
    if draw.stratify:
        strata = [_stratum(samples[i], labels) for i in pool]
        places = stratified(names, strata, share, draw.seed, first=part == "val")
    else:
        places = held_out(names, share, draw.seed, first=part == "val")
    for place in places:
        parts[pool[place]] = part
    if asked is None and not draw.stratify:
        return None
    how = "; each stratum of foreground gives its share" if draw.stratify else ""
    return f"{part}: {len(places)} of {len(pool)} images, drawn by name{how}"


# The test is drawn from the end of the order, so a test part does not change who validates; it goes first, as what
# is kept for the test is never anything else.
_DRAWN: Final[tuple[Literal["test", "val"], ...]] = ("test", "val")


def held_out(
    names: Sequence[str | None], share: float = VALIDATION_SHARE, seed: int = 0, *, first: bool = True
) -> list[int]:
    """Places of the samples drawn among these; None stands for what is not to be drawn. Of two or more, at least one
    is drawn and one is left.

    Seeded by file name, not by position: adding an image never moves another one, unless a number is asked for.
    first: whether the first in the order of the hashes are drawn, or the last.
    """
    score = {i: _score(name, seed, first) for i, name in enumerate(names) if name is not None}
    if len(score) < 2:
        return []
    order = sorted(score, key=score.__getitem__)
    if share >= 1:
        return sorted(order[: int(share)])
    drawn = [i for i, value in score.items() if value < share] or order[:1]
    return drawn if len(drawn) < len(score) else drawn[:-1]


def stratified(
    names: Sequence[str | None], strata: Sequence[int], share: float, seed: int = 0, *, first: bool = True
) -> list[int]:
    """Places of the samples drawn among these, from each stratum its share, together exactly round(share × all).

    As for `held_out`; what is not to be drawn counts in the size of its stratum.
    """
    order = {i: _score(name, seed, first) for i, name in enumerate(names) if name is not None}
    if len(order) < 2:
        return []
    fraction = share if share < 1 else share / len(names)
    wanted = min(max(1, math.floor(fraction * len(names) + 0.5)), len(order) - 1)
    counts = _apportioned(Counter(strata), Counter(strata[i] for i in order), fraction, wanted)
    drawn = []
    for i in sorted(order, key=order.__getitem__):
        if counts[strata[i]]:
            counts[strata[i]] -= 1
            drawn.append(i)
    return sorted(drawn)


def _apportioned(sizes: Mapping[int, int], room: Mapping[int, int], fraction: float, wanted: int) -> dict[int, int]:
    """How many of each stratum, together `wanted`, by the largest remainder (Hamilton 1792): of each the whole part of
    its share, then one more of those that lost most by it; of none more than there is room for.
    """
    counts = {stratum: min(math.floor(fraction * size), room.get(stratum, 0)) for stratum, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda stratum: (counts[stratum] - fraction * sizes[stratum], stratum))
    while (left := wanted - sum(counts.values())) > 0:
        for stratum in [stratum for stratum in by_remainder if counts[stratum] < room.get(stratum, 0)][:left]:
            counts[stratum] += 1
    return counts


def _score(name: str, seed: int, first: bool) -> float:
    """Where in the order of drawing a name stands, from 0 to 1."""
    # Seed 0 is what splits were drawn with before there was a seed.
    place = (number("split", name) if seed == 0 else number("split", name, seed)) / 2**63
    return place if first else 1 - place


def _stratum(sample: Sample, labels: Labels) -> int:
    """0 for an image without foreground, then 1 … `BINS` by its share of the pixels that count.

    Foreground is what is not background; where no class is background, what is not of the first class.
    """
    label_of = labels.label_of
    counted = {label: 0 for label in range(labels.count)}
    for value, pixels in sample.values.items():
        if (label := label_of[value]) != IGNORED:
            counted[label] += pixels
    total = sum(counted.values())
    shown = total - counted[labels.background or 0]
    return math.ceil(BINS * shown / total) if total else 0
