"""Images that are there twice, byte by byte."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from maskwright.data.doctor.evidence import PARTS, image_files, labelled, names, said, skip_options, skipping
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey


@dataclass(frozen=True)
class Crossing:
    """Copies of one picture that are in two parts."""

    kept: tuple[Sample, ...]
    """Those that scores come from …"""
    learned: tuple[Sample, ...]
    """… and those in the part that is nearer to learning."""


class Copies:
    """Equal images: in several parts they leak, with unlike masks they contradict, in one part they weigh double.

    Flat images are left out: two black ones are alike, but there is nothing in them to remember.
    """

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Leaks first."""
        groups = same(one for one in labelled(survey) if one.low < one.high)
        for first, second in (("train", "test"), ("val", "test"), ("train", "val")):
            if crossings := across(groups, first, second):
                yield _leak(crossings, first, second)
        unlike = [group for group in groups if len({_drawn(sample) for sample in group}) > 1]
        if unlike:
            yield _contradiction(unlike)
        if doubled := [part for group in groups for part in _of_one_part(group) if len(part) > 1]:
            yield _doubled(doubled)


def same(samples: Iterable[Sample]) -> list[list[Sample]]:
    """The samples that share their content with another, together."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.content, []).append(sample)
    return [group for group in groups.values() if len(group) > 1]


def across(groups: Iterable[list[Sample]], first: str, second: str) -> list[Crossing]:
    """The groups that lie in both parts."""
    parted = (tuple(tuple(s for s in group if s.split == part) for part in (second, first)) for group in groups)
    return [Crossing(kept, learned) for kept, learned in parted if kept and learned]


def _of_one_part(group: list[Sample]) -> list[list[Sample]]:
    def part(sample: Sample) -> str:
        return sample.split or ""

    return [list(members) for _, members in groupby(sorted(group, key=part), key=part)]


def _drawn(sample: Sample) -> tuple[tuple[int, int], ...]:
    """What surely tells two masks apart: files of unlike bytes may hold the same values."""
    return tuple(sorted(sample.values.items()))


def _leak(crossings: list[Crossing], first: str, second: str) -> Finding:
    learned = [sample for one in crossings for sample in one.learned]
    both = [sample for one in crossings for sample in (one.kept[0], *one.learned)]
    return Finding(
        code=f"copies-{first}-{second}",
        severity="warning",  # training goes well; it is the score that says less than it seems to
        title=f"{said(len(crossings), 'image is', 'images are')} in the {PARTS[first]} part and in the "
        f"{PARTS[second]} part",
        files=image_files(both),
        why=f"What was seen in the {PARTS[first]} part is known by heart: the {PARTS[second]} score comes out better "
        "than on new images.",
        remedy=f"Leave the copies out of the {PARTS[first]} part: "
        f"{skip_options([s.name for s in learned], fixed=True)}",
        fix=skipping(learned),
        pictures=names(both),
        details=tuple(f"{one.learned[0].image} = {one.kept[0].image}" for one in crossings),
    )


def _contradiction(groups: list[list[Sample]]) -> Finding:
    every = [sample for group in groups for sample in group]
    return Finding(
        code="copies-unlike-masks",
        severity="warning",
        title=f"{said(len(groups), 'image is', 'images are')} there several times with different masks",
        files=image_files(every),
        why="The same pixels are said to be different things: at most one of the masks is right.",
        remedy="Keep the better mask and leave the other copies out with --skip.",
        pictures=names(every),
        details=tuple(
            f"{a.image} = {b.image}, but {a.mask} holds {_held(a)} and {b.mask} {_held(b)}"
            for a, b in ((group[0], next(s for s in group if _drawn(s) != _drawn(group[0]))) for group in groups)
        ),
    )


def _held(sample: Sample) -> str:
    return ", ".join(f"{value}: {pixels}" for value, pixels in list(sample.values.items())[:4]) + " pixels"


def _doubled(groups: list[list[Sample]]) -> Finding:
    spare = [sample for group in groups for sample in group[1:]]
    return Finding(
        code="copies",
        severity="note",
        title=f"{said(len(groups), 'image is', 'images are')} there several times in one part",
        files=image_files(sample for group in groups for sample in group),
        why="A copy teaches nothing new and counts double in training or in the score.",
        remedy=f"Leave the spare ones out: {skip_options([s.name for s in spare], fixed=True)}",
        fix=skipping(spare),
        pictures=names(sample for group in groups for sample in group),
        details=tuple(" = ".join(sample.image for sample in group[:4]) for group in groups),
    )


checks.register("copies")(Copies())
