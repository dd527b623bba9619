"""Groups whose images lie in several parts."""

from collections.abc import Iterator, Sequence
from typing import Final

from maskwright.data.doctor.evidence import PARTS, image_files, labelled, listed, names, published
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.groups import NONE, Crossing, crossing, paths_of
from maskwright.data.proposals import of_stacks, propose_groups
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey

NAMED: Final = 3
"""Groups that the title names."""


class Groups:
    """Patients, scenes or films that are in several parts: those that are stated or followed, else, of parts that are
    published, those that names show.

    Groups that names show are not looked for in parts that are drawn: what is plain is followed there, and what is not
    plain is a note of the split.
    """

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """One finding for all groups."""
        samples = labelled(survey)
        if any(sample.group is not None for sample in samples):
            if crossed := crossing(samples):
                yield _stated(samples, crossed)
            return
        given = published(survey)
        of_folder = [sample for sample in samples if sample.name in given]
        if len({sample.split for sample in of_folder}) < 2 or NONE in (survey.stated.split.groups, survey.asked.groups):
            return
        paths = paths_of(of_folder)
        found = of_stacks(paths, [sample.page for sample in of_folder]) or propose_groups(paths)
        if found is not None and (crossed := crossing(of_folder, found.groups)):
            yield _shown(of_folder, found.groups, crossed, found.count, found.reason)


def _stated(samples: Sequence[Sample], crossed: list[Crossing]) -> Finding:
    return Finding(
        code="groups",
        severity="warning",
        title=f"{_said(crossed, len({s.group for s in samples} - {None}))} in several parts: {_named(crossed)}",
        files=image_files(_members(samples, [s.group for s in samples], crossed)),
        why="Images of one patient, scene or film are alike: the score comes out better than on new ones.",
        remedy="Name whole groups under split: in dataset.yaml, or leave val: and test: out there and the parts are "
        "drawn by group.",
        pictures=names(_one_a_part(samples, [s.group for s in samples], crossed[0])),
        details=tuple(_line(one) for one in crossed),
    )


def _shown(
    samples: Sequence[Sample], groups: Sequence[str | None], crossed: list[Crossing], count: int, reason: str
) -> Finding:
    return Finding(
        code="groups",
        severity="note",
        title=f"{_said(crossed, count, 'groups that names show')} in several parts: {_named(crossed)}",
        files=image_files(_members(samples, groups, crossed)),
        why="Images of one patient, scene or film are alike, and the score speaks of new images of known ones. The "
        "split is as published; scores compare with those of others.",
        remedy="Nothing to do to compare with others; for a stricter score name whole groups under split: in "
        "dataset.yaml.",
        pictures=names(_one_a_part(samples, groups, crossed[0])),
        details=(f"groups by {reason}", *(_line(one) for one in crossed)),
    )


def _said(crossed: Sequence[Crossing], count: int, what: str = "groups") -> str:
    return f"{len(crossed)} of {count} {what} {'is' if len(crossed) == 1 else 'are'}"


def _named(crossed: Sequence[Crossing]) -> str:
    return listed([one.group for one in crossed], NAMED)


def _line(one: Crossing) -> str:
    parts = ", ".join(f"{one.images[part]} in the {PARTS[part]} part" for part in PARTS if part in one.images)
    return f"{one.group}: {parts}"


def _members(samples: Sequence[Sample], groups: Sequence[str | None], crossed: list[Crossing]) -> list[Sample]:
    meant = {one.group for one in crossed}
    return [sample for sample, group in zip(samples, groups, strict=True) if group in meant]


def _one_a_part(samples: Sequence[Sample], groups: Sequence[str | None], one: Crossing) -> list[Sample]:
    """The first two of each part, to be seen beside each other."""
    members = _members(samples, groups, [one])
    return [sample for part in PARTS for sample in [m for m in members if m.split == part][:2]]


checks.register("groups")(Groups())
