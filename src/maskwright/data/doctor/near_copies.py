"""Images that are nearly the same: saved again, resized, brightened or cut a little; frames of a film; tiles that
overlap.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from maskwright.data.doctor.alike import NEIGHBOURS, RIM, SAME, Fine, Floats, agreement, candidates, detail, overlap
from maskwright.data.doctor.evidence import PARTS, image_files, names, published, said, skip_options, spread
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.measure import Measured
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey
from maskwright.errors import MaskwrightError

PAIRS: Final = 300
"""That are compared in detail, those across parts first: each opens two files and takes some hundredths of a second."""
FINE: Final = 64
"""Images whose transforms are kept, 400 KiB each: those of likest pairs and of neighbours come again soon."""
SPREAD: Final = 16
"""Images that say what all share."""
NAMED: Final = 150
"""Pairs across parts that are compared because their names are neighbours: film frames and tiles."""


@dataclass(frozen=True)
class Pair:
    """Two images, and how far they agree in detail."""

    first: Sample
    second: Sample
    agreement: float

    @property
    def parts(self) -> tuple[str, str]:
        """The parts they are in, the one nearer to learning first."""
        a, b = sorted((str(s.split) for s in (self.first, self.second)), key=list(PARTS).index)
        return a, b


@dataclass
class _Details:
    """Opens each image once."""

    survey: Survey
    known: dict[str, Floats | None] = field(default_factory=dict)

    def __call__(self, sample: Sample) -> Floats | None:
        if sample.name not in self.known:
            try:
                self.known[sample.name] = detail(sample.image_in(self.survey.root))
            except MaskwrightError:  # it changed since it was surveyed; the next survey tells
                self.known[sample.name] = None
        return self.known[sample.name]

    def shared(self, samples: Sequence[Sample]) -> Floats:
        """What all images have, such as the rim of a microscope's field; of few it is not known."""
        some = [self(sample) for sample in spread(samples, SPREAD, sum(s.height * s.width for s in samples))]
        known = [one for one in some if one is not None]
        return np.mean(known, axis=0) if len(known) >= SPREAD else np.zeros((1, 1), np.float32)


class NearCopies:
    """Pairs of images that agree in detail: one picture, or neighbours in time or place.

    Thumbnails of all are compared with all; the likest pairs, and those whose names are neighbours, are opened again.
    """

    quick = False

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Across parts first: there they leak."""
        seen = [m for m in survey.measured if m.sample.mask and m.sample.split and m.sample.low < m.sample.high]
        if len(seen) < 2:
            return
        same, neighbours, left = _compared(survey, seen)
        given = published(survey)
        for first, second in (("train", "test"), ("val", "test"), ("train", "val")):
            for kind, pairs in (("near-copies", same), ("neighbours", neighbours)):
                if crossing := [pair for pair in pairs if pair.parts == (first, second)]:
                    yield _leak(kind, crossing, first, second, given, left)
        if inside := [pair for pair in same if pair.parts[0] == pair.parts[1]]:
            yield _inside(inside, left)


def _compared(survey: Survey, seen: Sequence[Measured]) -> tuple[list[Pair], list[Pair], int]:
    """Pairs that show one picture, those that show one scene, and how many candidates were too many to compare."""
    details = _Details(survey)
    samples = [one.sample for one in seen]
    found = candidates([one.look.thumbnail for one in seen], [s.split for s in samples])
    contents = [sample.content for sample in samples]
    unlike = [(i, j) for i, j, _ in found if contents[i] != contents[j]]
    same, neighbours = [], []
    compared = set()
    named = named_neighbours(samples)[:NAMED]
    shared = details.shared(samples) if unlike or named else np.zeros((1, 1), np.float32)

    @lru_cache(maxsize=FINE)
    def fine(place: int) -> Fine | None:
        known = details(samples[place])
        return None if known is None else Fine(known - shared)

    for i, j in [*unlike[:PAIRS], *named]:
        a, b = fine(i), fine(j)
        if (i, j) in compared or a is None or b is None:
            continue
        compared.add((i, j))
        agree = agreement(a, b)
        if agree >= SAME:
            same.append(Pair(samples[i], samples[j], agree))
        elif agree >= NEIGHBOURS:
            neighbours.append(Pair(samples[i], samples[j], agree))
        elif _beside(samples[i], samples[j]) and (rim := overlap(a, b)) >= RIM:
            neighbours.append(Pair(samples[i], samples[j], rim))
    return same, neighbours, max(0, len(unlike) - PAIRS)


def named_neighbours(samples: Sequence[Sample]) -> list[tuple[int, int]]:
    """Pairs of unlike parts whose names differ in one number only, and that by one step: `f_0030` and `f_0060` where
    there is nothing between.
    """
    lines: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    for place, sample in enumerate(samples):
        stem = str(PurePosixPath(sample.image).with_suffix("")) + ("" if sample.page is None else f"_{sample.page}")
        # Parts may be folders; the name alone says what series it is of.
        texts = re.split(r"(\d+)", stem.rsplit("/", 1)[-1])
        for at in range(1, len(texts), 2):
            rest = (*texts[:at], None, *texts[at + 1 :])
            lines.setdefault(rest, []).append((int(texts[at]), place))
    pairs = set()
    for line in lines.values():
        line.sort()
        for (_, i), (_, j) in pairwise(line):
            if samples[i].split != samples[j].split and samples[i].content != samples[j].content:
                pairs.add((min(i, j), max(i, j)))
    return sorted(pairs)


def _beside(a: Sample, b: Sample) -> bool:
    """Whether two could be tiles of one picture."""
    return (a.height, a.width, a.channels) == (b.height, b.width, b.channels)


def _leak(kind: str, pairs: list[Pair], first: str, second: str, given: set[str], left: int) -> Finding:
    both = [sample for pair in pairs for sample in (pair.first, pair.second)]
    as_published = all(sample.name in given for sample in both)
    kept = {sample.name for sample in both if sample.split == second}
    what = "an image that is nearly the same" if kind == "near-copies" else "a neighbour in time or place"
    why = (
        f"What was seen in the {PARTS[first]} part is nearly known: the {PARTS[second]} score comes out better than on "
        "new images."
    )
    if kind == "near-copies":
        left_out = skip_options(dict.fromkeys(s.name for s in both if s.split == first))
        remedy = f"Keep them in one part: name them under split: in dataset.yaml, or leave the copies out: {left_out}"
    else:
        remedy = "Draw the parts by scene, film or slide instead of image by image, or name them under split: in "
        remedy += "dataset.yaml."
    if as_published:
        remedy = f"Nothing, to compare with others. For a score of new images: {remedy[0].lower()}{remedy[1:]}"
    return Finding(
        code=f"{kind}-{first}-{second}",
        severity="note" if as_published else "warning",
        title=f"{said(len(kept), 'image')} of the {PARTS[second]} part {'has' if len(kept) == 1 else 'have'} {what} in "
        f"the {PARTS[first]} part",
        files=image_files(both),
        why=why + (" The split is as published; scores compare with those of others." if as_published else ""),
        remedy=remedy,
        pictures=names(both),
        details=_lines(pairs, left),
    )


def _inside(pairs: list[Pair], left: int) -> Finding:
    both = [sample for pair in pairs for sample in (pair.first, pair.second)]
    return Finding(
        code="near-copies",
        severity="note",
        title=f"{said(len(pairs), 'pair')} of images {'is' if len(pairs) == 1 else 'are'} nearly the same, in one part",
        files=image_files(both),
        why="They teach little that is new, and a split drawn anew may part them.",
        remedy="Leave the poorer ones out with --skip, or keep them in one part if you draw another split.",
        pictures=names(both),
        details=_lines(pairs, left),
    )


def _lines(pairs: list[Pair], left: int) -> tuple[str, ...]:
    lines = [
        f"{pair.first.image} ({pair.first.split}) and {pair.second.image} ({pair.second.split}): agreement "
        f"{pair.agreement:.2f} of 1"
        for pair in sorted(pairs, key=lambda pair: -pair.agreement)
    ]
    more = [f"{said(left, 'further pair')} of like thumbnails were not compared in detail"] if left else []
    return (*lines, *more)


checks.register("near_copies")(NearCopies())
