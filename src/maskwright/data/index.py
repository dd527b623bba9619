"""The index: every image with its mask, opened and measured once, before anything long begins."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data import classes, dataset_file, split
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.groups import Stated
from maskwright.data.labels import Labels
from maskwright.data.layouts import Entry, Pairs, recognise
from maskwright.data.layouts.folders import paired_folders
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.names import matches, relative, unique_names
from maskwright.data.objects import pieces, read_objects
from maskwright.data.sample import Sample, Split, count, measure, values_of
from maskwright.data.stacks import taken_apart
from maskwright.errors import DataError
from maskwright.files import MaskStyle, read_image, read_mask
from maskwright.records import Record


class Samples(Record):
    """A data set: its samples with their split, and its classes."""

    root: str
    layout: str
    notes: tuple[str, ...]
    """What was recognised, and why."""
    labels: Labels
    samples: tuple[Sample, ...]

    def part(self, split: Split) -> list[Sample]:
        """The labelled samples of one part."""
        return [sample for sample in self.samples if sample.split == split and sample.mask]

    def image(self, sample: Sample) -> NDArray[Any]:
        """The sample's image, H W C, as stored."""
        return read_image(Path(self.root) / sample.image, sample.page)

    def labels_of(self, sample: Sample) -> NDArray[np.uint8]:
        """The sample's labels, H W uint8."""
        path = self._mask_of(sample)
        if sample.objects:
            values_HW: NDArray[Any] = values_of(path, sample.objects, (sample.height, sample.width), sample.page)
        else:
            values_HW = read_mask(path, sample.page, colour=self.labels.style.mode == "colour").values
        return self.labels.encode(values_HW, Path(self.root) / sample.mask_shown)

    def objects_of(self, sample: Sample) -> NDArray[np.int32] | None:
        """The sample's objects, H W int32: 0 where there is none, then 1 … N, a number an object.

        Where masks tell objects apart, those; where they tell foreground from background, its connected pieces, of
        pixels that share a side, ignored ones being of none; None where there are more classes.
        """
        path = self._mask_of(sample)
        if sample.objects:
            return read_objects(path, sample.objects, (sample.height, sample.width), sample.page)
        if self.labels.count != 2 or (background := self.labels.background) is None:
            return None
        return pieces(self.labels_of(sample) == 1 - background)

    def _mask_of(self, sample: Sample) -> Path:
        if sample.mask is None:
            raise DataError(f"{sample.image} has no mask.")
        return Path(self.root) / sample.mask


def index(
    data: str | Path,
    *,
    test: Sequence[str] = (),
    val: Sequence[str] = (),
    skip: Sequence[str] = (),
    share: float | None = None,
    test_share: float | None = None,
    stratify: bool = False,
    split_seed: int = 0,
    groups: Stated | None = None,
    propose: bool = True,
    folds: int | None = None,
    fold: int | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """The samples of a folder, each opened, checked and measured.

    test, val, skip: names or patterns such as `2[4-9].png`, besides those in `dataset.yaml`. A page of a stack is
    called `stack_07`, from 0.
    share, test_share: how many labelled images to draw for validation and test, below 1 a share, else a number.
    stratify: draw such that each part shows as much foreground as all; the share is then exact. See `split.Draw`.
    split_seed: another one draws other images.
    groups: which images stay together, as `groups.read_groups` reads it; propose: whether those that names show plainly
    do, where nothing is stated.
    folds, fold: so many parts that validate in turn, and which of them does now, from 0.
    What is not given here is as `dataset.yaml` has it.
    progress: told how many files of how many have been read.

    Raises:
        DataError, ReadError: something does not pair, open or fit; names the file and what to do.
        SettingError: a share is none.
    """
    root, stated = dataset_file.find(data)
    draw = split.Draw.stated(
        stated, share, test_share, stratify, split_seed, groups=groups, propose=propose, folds=folds, fold=fold
    )
    layout, pairs = _pairs(root, stated)
    patterns = (*stated.skip, *skip)
    kept = [entry for entry in _settled(pairs.entries, root, patterns) if not _left_out(entry, root, patterns)]
    _demand_pairs(pairs, root, patterns)
    if stated.instances:
        kept = [entry if entry.objects else replace(entry, objects="values") for entry in kept]
    kept = [page for page in taken_apart(kept, workers) if not _left_out(page, root, patterns)]
    if not any(entry.mask for entry in kept):
        raise DataError(f"No image in {root} has a mask, so there is nothing to learn from.")
    measured = _measured(root, kept, workers, progress, colour=dataset_file.speaks_of_colours(stated))
    chosen, reason = classes.choose(root, stated, measured, pairs.classes)
    shown = [entry.shown[0] for entry in kept]
    samples, drawn = split.assign([sample for sample, _ in measured], shown, root, stated, test, val, draw, chosen)
    notes = (pairs.reason, reason, *drawn)
    return Samples(root=str(root.resolve()), layout=layout, notes=notes, labels=chosen, samples=tuple(samples))


def _pairs(root: Path, stated: DatasetFile) -> tuple[str, Pairs]:
    if stated.images is None or stated.masks is None:
        return recognise(root)
    for folder in (root / stated.images, root / stated.masks):
        if not folder.is_dir():
            raise DataError(f"{dataset_file.NAME} names the folder {folder}, which does not exist.")
    pairs = paired_folders(root / stated.images, root / stated.masks)
    if pairs is None:
        raise DataError(f"{root / stated.images} or {root / stated.masks} holds no pictures.")
    return "stated", by_lists(root, pairs)


def _demand_pairs(pairs: Pairs, root: Path, patterns: Iterable[str]) -> None:
    for alone, other in ((pairs.images_alone, "mask"), (pairs.masks_alone, "image")):
        lost = [path for path in alone if not matches(path, root, patterns)]
        if lost:
            shown = ", ".join(str(path.relative_to(root)) for path in lost[:3]) + (" …" if len(lost) > 3 else "")
            raise DataError(
                f"{len(lost)} of the files in {root} have no {other}: {shown}. A mask is called as its image, with or "
                f"without an ending such as _mask. Add the {other}, or leave the file out with --skip {lost[0].name}."
            )


def _settled(entries: Iterable[Entry], root: Path, patterns: Sequence[str]) -> Iterator[Entry]:
    """The entries with one mask each: where several claim an image, all but one must be left out."""
    for entry in entries:
        masks = [m for m in (entry.mask, *entry.rivals) if m and not (entry.rivals and matches(m, root, patterns))]
        if len(masks) > 1 and not matches(entry.image, root, patterns):
            raise DataError(
                f"Both {masks[0]} and {masks[1]} could be the mask of {entry.image}. Keep one, or leave one out with "
                f"--skip {relative(masks[1], root)}."
            )
        yield replace(entry, mask=masks[0] if masks else None, rivals=())


def _left_out(entry: Entry, root: Path, patterns: Sequence[str]) -> bool:
    """Whether a pattern means the image or its mask; of a page, its own name or that of the whole stack."""
    whole = tuple(path for path in (entry.image, entry.mask) if path)
    return any(matches(path, root, patterns) for path in {*whole, *entry.shown})


def _measured(
    root: Path, entries: list[Entry], workers: int, progress: Callable[[int, int], None] | None, *, colour: bool
) -> list[tuple[Sample, MaskStyle | None]]:
    names = unique_names([entry.shown[0] for entry in entries], root)
    measured: list[tuple[Sample, MaskStyle | None]] = []
    with ThreadPoolExecutor(workers) as pool:  # decoders release the interpreter lock
        jobs = [pool.submit(measure, root, entry, name) for entry, name in zip(entries, names, strict=True)]
        try:
            for job in jobs:
                measured.append(job.result())
                if progress:
                    progress(len(measured), len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return _in_colour(root, measured) if colour or _some_coloured(measured) else measured


def _some_coloured(measured: list[tuple[Sample, MaskStyle | None]]) -> bool:
    return any(style and style.mode == "colour" for _, style in measured)


def _in_colour(root: Path, measured: list[tuple[Sample, MaskStyle | None]]) -> list[tuple[Sample, MaskStyle | None]]:
    """Among coloured masks one that happens to be all grey is a coloured one too."""
    out: list[tuple[Sample, MaskStyle | None]] = []
    for sample, style in measured:
        if style and style.mode != "colour" and sample.mask and not sample.objects:
            mask = read_mask(root / sample.mask, sample.page, colour=True)
            out.append((sample.model_copy(update={"values": count(mask)}), mask.style))
        else:
            out.append((sample, style))
    return out
