"""The survey: what lies in a folder, and everything that is wrong with it.

Told to be strict it stops at the first fault, as training must; else it goes on, and the doctor tells all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from maskwright.data import classes, dataset_file, split
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.entries import Faults, Found, entries_in
from maskwright.data.groups import Stated
from maskwright.data.layouts import Pairs
from maskwright.data.measure import Measured
from maskwright.data.sample import Sample, Samples
from maskwright.data.seeing import Progress, Seen, in_colour, look_at
from maskwright.data.sources import sources
from maskwright.errors import DataError, MaskwrightError


@dataclass(frozen=True)
class Asked:
    """What is wanted of a data set besides what its `dataset.yaml` says; what is left out is as that says."""

    test: Sequence[str] = ()
    val: Sequence[str] = ()
    skip: Sequence[str] = ()
    """Names or patterns such as `2[4-9].png`. A page of a stack is called `stack_07`, from 0."""
    share: float | None = None
    test_share: float | None = None
    """How many labelled images to draw for validation and test, below 1 a share, else a number."""
    stratify: bool = False
    """Draw such that each part shows as much of every class as all; the share is then exact. See `split.Draw`."""
    split_seed: int = 0
    """Another one draws other images."""
    groups: Stated | None = None
    """Which images stay in one part, as `groups.read_groups` reads it: a regular expression round the group's name,
    `{group}_*`, a table `.csv`, a mapping, or `none`."""
    propose: bool = True
    """Whether the groups that names show plainly are kept together, where nothing is stated."""
    folds: int | None = None
    fold: int | None = None
    """So many parts that validate in turn, and which of them does now, from 0."""


@dataclass(frozen=True)
class Survey:
    """What lies in a folder, and what is wrong with it."""

    root: Path
    stated: DatasetFile
    layout: str
    pairs: Pairs
    """As the layout found them, before anything was left out."""
    seen: tuple[Seen, ...]
    """The entries, each opened."""
    images_alone: tuple[Path, ...]
    masks_alone: tuple[Path, ...]
    """What has no partner and is not left out by a pattern."""
    samples: Samples | None
    """What a training would get; None where it would be refused."""
    faults: tuple[MaskwrightError, ...]
    """Why it would be refused, in the order in which it was found."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why `classes` are read so, and how the `split` was drawn, if there are samples."""
    asked: Asked = Asked()
    """What was wanted besides what is stated."""

    @property
    def measured(self) -> list[Measured]:
        """The entries that could be measured; if there are samples, in their order and with their split."""
        return [one.measured for one in self.seen if one.measured]

    def values_of(self, sample: Sample) -> NDArray[Any]:
        """The sample's mask values, H W, whether or not they are classes."""
        table = {name: values[0] for name, values in (self.pairs.classes or {}).items()}
        return sources[sample.source].read(sample.place(self.root, table)).values


def survey(
    data: str | Path,
    asked: Asked | None = None,
    *,
    workers: int = 2,
    progress: Progress | None = None,
    strict: bool = False,
) -> Survey:
    """What lies in a folder; every file of it is opened once.

    strict: the first fault is raised, not kept.
    progress: told how many files of how many have been read.

    Raises:
        DataError: there is no data in the folder that could be looked at.
        SettingError: a share is none.
    """
    asked = asked or Asked()
    faults = Faults(strict)
    root, stated = dataset_file.find(data)
    draw = split.Draw.stated(
        stated, asked.share, asked.test_share, asked.stratify, asked.split_seed,
        groups=asked.groups, propose=asked.propose, folds=asked.folds, fold=asked.fold,
    )  # fmt: skip
    found = entries_in(root, stated, (*stated.skip, *asked.skip), workers, faults)
    seen = look_at(root, found.entries, found.table, workers, progress, faults)
    by_colour = classes.by_colour(
        found.pairs.base or root, stated, [(m.sample, m.style) for m in (one.measured for one in seen) if m]
    )
    seen = in_colour(root, seen) if by_colour else seen
    samples, reasons = None, dict[str, str]()
    try:
        samples, reasons = _together(root, stated, found, seen, asked, draw, by_colour)
    except MaskwrightError as error:
        faults.add(error)
    if samples is not None:
        with_split = iter(samples.samples)
        seen = [
            one if one.measured is None else Seen(one.entry, _settled_as(one.measured, next(with_split)))
            for one in seen
        ]
    return Survey(
        root,
        stated,
        found.layout,
        found.pairs,
        tuple(seen),
        found.images_alone,
        found.masks_alone,
        samples if not faults.found else None,
        tuple(faults.found),
        reasons,
        asked,
    )


def _together(
    root: Path,
    stated: DatasetFile,
    found: Found,
    seen: list[Seen],
    asked: Asked,
    draw: split.Draw,
    by_colour: str | None,
) -> tuple[Samples, dict[str, str]]:
    """The samples with their classes and parts, and the reasons for them."""
    opened = [(one.entry, one.measured) for one in seen if one.measured]
    if not any(measured.sample.mask for _, measured in opened):
        raise DataError(f"No image in {root} with a mask could be read, so there is nothing to learn from.")
    measured = [(m.sample, m.style) for _, m in opened]
    pairs = found.pairs
    chosen, reason = classes.choose(root, stated, measured, pairs.classes, pairs.ignored, pairs.base)
    if by_colour and any(m.before for _, m in opened):
        reason += f"; {by_colour}"
    shown = [entry.shown[0] for entry, _ in opened]
    tallied = [_with_values(s, chosen.tallied(s.values)) for s, _ in measured]
    samples, drawn = split.assign(tallied, shown, root, stated, asked.test, asked.val, draw, chosen)
    together = Samples(
        root=str(root.resolve()),
        layout=found.layout,
        notes=(pairs.reason, *pairs.notes, *found.notes, reason, *drawn),
        labels=chosen,
        table=found.table,
        samples=tuple(samples),
    )
    return together, {"classes": reason, "split": "; ".join(drawn)}


def _settled_as(measured: Measured, sample: Sample) -> Measured:
    """What was measured, with the sample as a training would get it."""
    before = measured.stored if sample.values != measured.sample.values else measured.before
    return Measured(sample, measured.style, measured.look, before)


def _with_values(sample: Sample, values: dict[int, int]) -> Sample:
    """The sample with these values; itself if it has them already, in the same order, as a copy costs."""
    same = values == sample.values and list(values) == list(sample.values)
    return sample if same else sample.model_copy(update={"values": values})
