"""The groups of a data set: as stated, else as names show them plainly; and what is to be said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from maskwright.data.groups import NONE, Crossing, Groups, Stated, paths_of, read_groups
from maskwright.data.proposals import Proposal, of_stacks, propose_groups
from maskwright.data.sample import Sample


@dataclass(frozen=True)
class Grouping:
    """The group of each sample, and where that is from."""

    groups: Groups
    stated: bool = False
    proposal: Proposal | None = None
    followed: bool = False
    """Whether the proposal is where the groups are from."""
    crossed: int = 0
    """Groups that the names show and a published split parts."""

    @property
    def any(self) -> bool:
        """Whether any image has a group."""
        return any(group is not None for group in self.groups)

    def notes(self, crossings: Sequence[Crossing], drawn: bool) -> list[str]:
        """What to say. crossings: groups that are in several parts; drawn: whether a part was drawn."""
        if self.proposal is None:
            said = [_stated(self.groups)] if self.any else []
        elif self.followed:
            said = [_followed(self.proposal)] if drawn else []
        else:
            said = [_mentioned(self.proposal, self.crossed, drawn)] if drawn or self.crossed else []
        if crossings and (self.stated or drawn):
            first = crossings[0]
            where = ", ".join(f"{part} {n}" for part, n in sorted(first.images.items()))
            said.append(
                f"{len(crossings)} groups are in several parts, as these are published or named: {first.group} "
                f"({where})" + (" …" if len(crossings) > 1 else "")
            )
        return said


def grouping(
    samples: Sequence[Sample],
    root: Path,
    stated: Stated | None,
    *,
    propose: bool = True,
    thumbnails: Mapping[str, NDArray[Any]] | None = None,
) -> Grouping:
    """The groups of these samples, whose `split` is what their layout publishes.

    stated: as `groups.read_groups` reads it. propose: whether to look for groups in names where nothing is stated.
    They are followed where they are plain and no split is published.

    Raises:
        DataError, SettingError: what is stated fits nothing.
    """
    if stated is not None:
        return Grouping(read_groups(stated, samples, root), stated=stated != NONE)
    nothing: Groups = [None] * len(samples)
    paths = paths_of(samples)
    labelled = [i for i, sample in enumerate(samples) if sample.mask]
    names = [paths[i] for i in labelled]
    found = (
        (of_stacks(names, [samples[i].page for i in labelled]) or propose_groups(names, thumbnails=thumbnails))
        if propose
        else None
    )
    if found is None:
        return Grouping(nothing)
    published = len({samples[i].split for i in labelled}) > 1
    if not published and found.confident:
        return Grouping(found.of(paths), proposal=found, followed=True)
    return Grouping(nothing, proposal=found, crossed=_crossed(found, [samples[i].split for i in labelled]))


def _crossed(found: Proposal, parts: Sequence[str | None]) -> int:
    """How many of the proposed groups the published parts divide."""
    of: dict[str, set[str | None]] = {}
    for group, part in zip(found.groups, parts, strict=True):
        if group is not None:
            of.setdefault(group, set()).add(part)
    return sum(len(found) > 1 for found in of.values())


def _stated(groups: Groups) -> str:
    alone = sum(group is None for group in groups)
    rest = f"; {alone} images match no group and are alone" if alone else ""
    return f"groups: {len(set(groups) - {None})}, as stated{rest}"


def _followed(found: Proposal) -> str:
    return (
        f"groups: {found.count} by name, never parted: {found.reason}. If they are none, write "
        f"split: {{groups: {NONE}}} in dataset.yaml, or --groups {NONE}"
    )


def _mentioned(found: Proposal, crossed: int, drawn: bool) -> str:
    across = f"; {crossed} of them are in several parts, as published" if crossed else ""
    line = found.pattern.replace("'", "''")
    advice = f". If they belong together, write split: {{groups: '{line}'}} in dataset.yaml" if drawn else ""
    may = "show" if found.confident else "may show"
    return f"names {may} {found.count} groups: {found.reason}{across}{advice}"
