"""The survey: what lies in a folder, and everything that is wrong with it.

Told to be strict it stops at the first fault, as training must; else it goes on, and the doctor tells all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from maskwright.data import classes, dataset_file, split
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.groups import Stated
from maskwright.data.labels import values_of
from maskwright.data.layouts import Entry, Pairs, Told, recognise
from maskwright.data.layouts.folders import paired_folders
from maskwright.data.layouts.looking import looking
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.recognition import stated_valid
from maskwright.data.layouts.refinement import refined
from maskwright.data.measure import Measured, count, measure
from maskwright.data.names import matches, relative, unique_names
from maskwright.data.parallel import ahead
from maskwright.data.remembered import Key, Remembered, key_of
from maskwright.data.sample import Sample, Samples
from maskwright.data.sources import sources
from maskwright.data.stacks import taken_apart
from maskwright.errors import DataError, MaskwrightError
from maskwright.files import is_folder, read_mask

_OBJECTS = {"mask_file": "object_values", "drawn": "drawn_objects"}
"""What a source becomes where its values or shapes are objects."""

Progress = Callable[[int, int], None]

CHUNK = 16
"""Entries measured by a thread before it asks for more: asking costs as much as a tenth of a small file."""


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
class Seen:
    """An entry of a folder: as it was measured, or why it could not be."""

    entry: Entry
    measured: Measured | None = None
    error: MaskwrightError | None = None


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


@dataclass
class _Faults:
    """Raises what it is given, or keeps it."""

    strict: bool
    found: list[MaskwrightError] = field(default_factory=list)

    def add(self, error: MaskwrightError) -> None:
        if self.strict:
            raise error
        self.found.append(error)


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
    faults = _Faults(strict)
    root, stated = dataset_file.find(data)
    draw = split.Draw.stated(
        stated, asked.share, asked.test_share, asked.stratify, asked.split_seed,
        groups=asked.groups, propose=asked.propose, folds=asked.folds, fold=asked.fold,
    )  # fmt: skip
    layout, pairs = _pairs(root, stated)
    patterns = (*stated.skip, *asked.skip)
    entries = [e for e in _settled(pairs.entries, root, patterns, faults) if not _left_out(e, root, patterns)]
    images_alone, masks_alone = (
        tuple(path for path in paths if not matches(path, root, patterns))
        for paths in (pairs.images_alone, pairs.masks_alone)
    )
    lonely = _lonely(root, images_alone, masks_alone, entries, faults)
    if stated.axes is not None:
        entries = [replace(entry, axes=stated.axes) for entry in entries]
    if stated.instances:
        entries = [replace(e, source=_OBJECTS.get(e.source, e.source)) for e in entries]
        if any(e.source == "drawn_objects" for e in entries):
            pairs = replace(pairs, classes=None, ignored=())
    entries = [page for page in taken_apart(entries, workers, faults.add) if not _left_out(page, root, patterns)]
    if not any(entry.mask for entry in entries):
        raise DataError(f"No image in {root} has a mask, so there is nothing to learn from.")
    table = _table(pairs, stated)
    seen = _seen(root, entries, table, workers, progress, faults)
    by_colour = classes.by_colour(
        pairs.base or root, stated, [(m.sample, m.style) for m in (one.measured for one in seen) if m]
    )
    seen = _in_colour(root, seen) if by_colour else seen
    samples, reasons = None, dict[str, str]()
    try:
        samples, reasons = _together(root, stated, layout, pairs, seen, table, asked, draw, lonely, by_colour)
    except MaskwrightError as error:
        faults.add(error)
    if samples is not None:
        with_split = iter(samples.samples)
        seen = [
            one if one.measured is None else Seen(one.entry, _settled_as(one.measured, next(with_split)))
            for one in seen
        ]
    whole = samples if not faults.found else None
    return Survey(
        root, stated, layout, pairs, tuple(seen), images_alone, masks_alone, whole, tuple(faults.found), reasons, asked
    )


def _together(
    root: Path,
    stated: DatasetFile,
    layout: str,
    pairs: Pairs,
    seen: list[Seen],
    table: dict[str, int],
    asked: Asked,
    draw: split.Draw,
    lonely: list[str],
    by_colour: str | None,
) -> tuple[Samples, dict[str, str]]:
    """The samples with their classes and parts, and the reasons for them."""
    opened = [(one.entry, one.measured) for one in seen if one.measured]
    if not any(measured.sample.mask for _, measured in opened):
        raise DataError(f"No image in {root} with a mask could be read, so there is nothing to learn from.")
    measured = [(m.sample, m.style) for _, m in opened]
    chosen, reason = classes.choose(root, stated, measured, pairs.classes, pairs.ignored, pairs.base)
    if by_colour and any(m.before for _, m in opened):
        reason += f"; {by_colour}"
    shown = [entry.shown[0] for entry, _ in opened]
    tallied = [_with_values(s, chosen.tallied(s.values)) for s, _ in measured]
    samples, drawn = split.assign(tallied, shown, root, stated, asked.test, asked.val, draw, chosen)
    notes = (pairs.reason, *pairs.notes, *lonely, reason, *drawn)
    found = Samples(
        root=str(root.resolve()), layout=layout, notes=notes, labels=chosen, table=table, samples=tuple(samples)
    )
    return found, {"classes": reason, "split": "; ".join(drawn)}


def _pairs(root: Path, stated: DatasetFile) -> tuple[str, Pairs]:
    told = Told(
        layout="annotations" if stated.annotations.file else stated.layout,
        bands=stated.bands,
        annotators=stated.annotators,
        overlap=stated.overlap,
        valid=stated.valid,
        axes=stated.axes,
        annotations=root / stated.annotations.file if stated.annotations.file else None,
        reading=stated.annotations.reading,
        values=_stated_table(stated),
    )
    if stated.images is None or stated.masks is None:
        return recognise(root, told)
    for folder in (root / stated.images, root / stated.masks):
        if not is_folder(folder):
            raise DataError(f"{dataset_file.NAME} names the folder {folder}, which does not exist.")
    with looking(told):
        pairs = paired_folders(root / stated.images, root / stated.masks)
        if pairs is None:
            raise DataError(f"{root / stated.images} or {root / stated.masks} holds no pictures.")
        return "stated", refined(root, by_lists(root, pairs), stated_valid(root))


def _table(pairs: Pairs, stated: DatasetFile) -> dict[str, int]:
    """Class name → mask value, for sources that name classes; for a file a class and what is drawn as
    dataset.yaml says.
    """
    if any(entry.source.startswith(("class_files", "drawn")) for entry in pairs.entries) and (
        table := _stated_table(stated)
    ):
        return table
    return {name: values[0] for name, values in (pairs.classes or {}).items()}


def _stated_table(stated: DatasetFile) -> dict[str, int] | None:
    """Class name → mask value where classes are stated by value; None where they are not, or by drawn names, which keep
    the values they have.
    """
    if stated.classes is None:
        return None
    try:
        found = {name: values_of(value, None) for name, value in stated.classes.items()}
    except DataError:
        return None  # a name among the values; a mistake is told when the classes are made of them
    return {name: values[0] for name, values in found.items() if values}


def _lonely(
    root: Path, images: tuple[Path, ...], masks: tuple[Path, ...], entries: list[Entry], faults: _Faults
) -> list[str]:
    """A note of the files without partner, which are left out; a fault if they are more than those with one: the
    names are then not what pairs them.
    """
    notes = []
    for alone, own, other in ((images, "image", "mask"), (masks, "mask", "image")):
        if not alone:
            continue
        shown = ", ".join(relative(path, root) for path in alone[:3]) + (" …" if len(alone) > 3 else "")
        if len(alone) > sum(entry.mask is not None for entry in entries):
            faults.add(
                DataError(
                    f"{len(alone)} of the files in {root} have no {other}: {shown}. A mask is called as its image, "
                    f"with or without an ending such as _mask. Add the {other}, or leave the file out with --skip "
                    f"{alone[0].name}.",
                    code="unpaired",
                    files=[relative(path, root) for path in alone],
                )
            )
        notes.append(f"left out, as {len(alone)} {own}{'s have' if len(alone) > 1 else ' has'} no {other}: {shown}")
    return notes


def _settled(entries: Iterable[Entry], root: Path, patterns: Sequence[str], faults: _Faults) -> Iterator[Entry]:
    """The entries with one mask each: where several claim an image, all but one must be left out."""
    for entry in entries:
        masks = [m for m in (entry.mask, *entry.rivals) if m and not (entry.rivals and matches(m, root, patterns))]
        if len(masks) > 1 and not matches(entry.image, root, patterns):
            faults.add(
                DataError(
                    f"Both {masks[0]} and {masks[1]} could be the mask of {entry.image}. Keep one, or leave one out "
                    f"with --skip {relative(masks[1], root)}.",
                    code="rivals",
                    files=[relative(path, root) for path in (entry.image, *masks)],
                )
            )
            continue
        yield replace(entry, mask=masks[0] if masks else None, rivals=()) if entry.rivals else entry


def _left_out(entry: Entry, root: Path, patterns: Sequence[str]) -> bool:
    """Whether a pattern means the image or its mask; of a page, its own name or that of the whole stack."""
    if not patterns:
        return False
    whole = tuple(path for path in (entry.image, entry.mask) if path)
    return any(matches(path, root, patterns) for path in {*whole, *entry.shown})


def _seen(
    root: Path, entries: list[Entry], table: dict[str, int], workers: int, progress: Progress | None, faults: _Faults
) -> list[Seen]:
    names = unique_names([entry.shown[0] for entry in entries], root)
    seen: list[Seen] = []
    jobs = list(zip(entries, names, strict=True))
    with Remembered(root) as remembered:
        chunks = (jobs[first : first + CHUNK] for first in range(0, len(jobs), CHUNK))
        for ones, fresh in ahead(lambda chunk: _looked_at(root, chunk, table, remembered), chunks, workers):
            remembered.put(fresh)
            for one in ones:
                if one.error is not None:
                    faults.add(one.error)
                seen.append(one)
                if progress:
                    progress(len(seen), len(jobs))
    return seen


def _looked_at(
    root: Path, chunk: list[tuple[Entry, str]], table: dict[str, int], remembered: Remembered
) -> tuple[list[Seen], dict[Key, Measured]]:
    """The entries, measured or remembered, and what is new of them."""
    seen: list[Seen] = []
    fresh: dict[Key, Measured] = {}
    for entry, name in chunk:
        try:
            key = key_of(root, entry, table)
            if key is None or (measured := remembered.get(key, entry, name)) is None:
                measured = measure(root, entry, name, table)
                if key is not None:
                    fresh[key] = measured
            seen.append(Seen(entry, measured))
        except MaskwrightError as error:
            seen.append(Seen(entry, error=error))
    return seen, fresh


def _settled_as(measured: Measured, sample: Sample) -> Measured:
    """What was measured, with the sample as a training would get it."""
    before = measured.stored if sample.values != measured.sample.values else measured.before
    return Measured(sample, measured.style, measured.look, before)


def _with_values(sample: Sample, values: dict[int, int]) -> Sample:
    """The sample with these values; itself if it has them already, in the same order, as a copy costs."""
    same = values == sample.values and list(values) == list(sample.values)
    return sample if same else sample.model_copy(update={"values": values})


def _in_colour(root: Path, seen: list[Seen]) -> list[Seen]:
    """All masks read as the colours they show; also those that happen to be all grey."""
    return [replace(one, measured=_recounted(root, one.measured)) if one.measured else one for one in seen]


def _recounted(root: Path, measured: Measured) -> Measured:
    sample, style = measured.sample, measured.style
    if style is None or style.mode == "colour" or sample.mask is None or sample.source != "mask_file":
        return measured
    mask = read_mask(root / sample.mask, sample.page, colour=True)
    values = count(mask.values, sample.invalid_in(root))
    sample = sample.model_copy(update={"values": values})
    return replace(measured, sample=sample, style=mask.style, before=measured.stored)
