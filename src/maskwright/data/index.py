"""The index: every image with its mask, opened and measured once, before anything long begins."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.data import dataset_file, labels
from maskwright.data.dataset_file import DatasetFile
from maskwright.data.labels import Labels
from maskwright.data.layouts import Entry, Pairs, recognise
from maskwright.data.layouts.folders import paired_folders
from maskwright.data.randomness import number
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, read_image, read_mask
from maskwright.records import Record

Split = Literal["train", "val", "test"]

VALIDATION_SHARE = 0.15
CLASS_LISTS = ("classes.txt", "codes.txt", "class_names.txt", "labels.txt")


class Sample(Record):
    """One image, its mask if it has one, and what was measured when they were opened."""

    name: str
    """Unique in the data set: the path without its ending, as short as it can be."""
    image: str
    mask: str | None
    """Paths relative to the data set's folder."""
    split: Split | None
    content: str
    """A hash of the image file: two files of the same content are the same image, whatever they are called."""
    mask_content: str | None = None
    """The same of the mask file."""
    height: int
    width: int
    channels: int
    dtype: str
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the image's values as stored, a number a channel."""
    values: dict[int, int] = {}
    """Mask value → pixels."""


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
        return read_image(Path(self.root) / sample.image)

    def labels_of(self, sample: Sample) -> NDArray[np.uint8]:
        """The sample's labels, H W uint8."""
        if sample.mask is None:
            raise DataError(f"{sample.image} has no mask.")
        path = Path(self.root) / sample.mask
        return self.labels.encode(read_mask(path, colour=self.labels.style.mode == "colour").values, path)


def index(
    data: str | Path,
    *,
    test: Sequence[str] = (),
    val: Sequence[str] = (),
    skip: Sequence[str] = (),
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Samples:
    """The samples of a folder, each opened, checked and measured.

    test, val, skip: names or patterns such as `2[4-9].png`, besides those in `dataset.yaml`.
    progress: told how many files of how many have been read.

    Raises:
        DataError, ReadError: something does not pair, open or fit; names the file and what to do.
    """
    root, stated = dataset_file.find(data)
    layout, pairs = _pairs(root, stated)
    patterns = (*stated.skip, *skip)
    kept = [entry for entry in _settled(pairs.entries, root, patterns) if not _left_out(entry, root, patterns)]
    _demand_pairs(pairs, root, patterns)
    if not any(entry.mask for entry in kept):
        raise DataError(f"No image in {root} has a mask, so there is nothing to learn from.")
    measured = _measured(root, kept, workers, progress, colour=dataset_file.speaks_of_colours(stated))
    chosen, reason = _labels(root, stated, measured)
    samples = _split([sample for sample, _ in measured], root, stated, test, val)
    return Samples(root=str(root), layout=layout, notes=(pairs.reason, reason), labels=chosen, samples=tuple(samples))


def _pairs(root: Path, stated: DatasetFile) -> tuple[str, Pairs]:
    if stated.images is None or stated.masks is None:
        return recognise(root)
    for folder in (root / stated.images, root / stated.masks):
        if not folder.is_dir():
            raise DataError(f"{dataset_file.NAME} names the folder {folder}, which does not exist.")
    pairs = paired_folders(root / stated.images, root / stated.masks)
    if pairs is None:
        raise DataError(f"{root / stated.images} or {root / stated.masks} holds no pictures.")
    return "stated", pairs


def _demand_pairs(pairs: Pairs, root: Path, patterns: Iterable[str]) -> None:
    for alone, other in ((pairs.images_alone, "mask"), (pairs.masks_alone, "image")):
        lost = [path for path in alone if not _matches(path, root, patterns)]
        if lost:
            shown = ", ".join(str(path.relative_to(root)) for path in lost[:3]) + (" …" if len(lost) > 3 else "")
            raise DataError(
                f"{len(lost)} of the files in {root} have no {other}: {shown}. A mask is called as its image, with or "
                f"without an ending such as _mask. Add the {other}, or leave the file out with --skip {lost[0].name}."
            )


def _settled(entries: Iterable[Entry], root: Path, patterns: Sequence[str]) -> Iterator[Entry]:
    """The entries with one mask each: where several claim an image, all but one must be left out."""
    for entry in entries:
        masks = [m for m in (entry.mask, *entry.rivals) if m and not (entry.rivals and _matches(m, root, patterns))]
        if len(masks) > 1 and not _matches(entry.image, root, patterns):
            raise DataError(
                f"Both {masks[0]} and {masks[1]} could be the mask of {entry.image}. Keep one, or leave one out with "
                f"--skip {_relative(masks[1], root)}."
            )
        yield Entry(entry.image, masks[0] if masks else None, entry.split)


def _left_out(entry: Entry, root: Path, patterns: Sequence[str]) -> bool:
    return any(_matches(path, root, patterns) for path in (entry.image, entry.mask) if path)


def _matches(path: Path, root: Path, patterns: Iterable[str]) -> bool:
    """Whether a pattern means the file, by its name or its path in the folder, with or without the ending."""
    inside = Path(_relative(path, root))
    texts = (path.name, path.stem, inside.as_posix(), inside.with_suffix("").as_posix())
    # A name with brackets is a pattern that does not match itself.
    return any(text == p or fnmatch(text, p) for p in patterns for text in texts)


def _measured(
    root: Path, entries: list[Entry], workers: int, progress: Callable[[int, int], None] | None, *, colour: bool
) -> list[tuple[Sample, MaskStyle | None]]:
    names = _names([entry.image for entry in entries], root)
    measured: list[tuple[Sample, MaskStyle | None]] = []
    with ThreadPoolExecutor(workers) as pool:  # decoders release the interpreter lock
        jobs = [pool.submit(_measure, root, entry, name) for entry, name in zip(entries, names, strict=True)]
        try:
            for job in jobs:
                measured.append(job.result())
                if progress:
                    progress(len(measured), len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return _in_colour(root, measured) if colour or _some_coloured(measured) else measured


def _measure(root: Path, entry: Entry, name: str) -> tuple[Sample, MaskStyle | None]:
    image_HWC = read_image(entry.image)
    height, width, channels = image_HWC.shape
    mask = read_mask(entry.mask) if entry.mask else None
    if mask is not None and mask.values.shape != (height, width):
        raise DataError(
            f"{entry.image} is {height}×{width}, its mask {entry.mask} is {mask.values.shape[0]}×"
            f"{mask.values.shape[1]} (height × width). Masks must match their image; crop or redraw the mask, or leave "
            f"the pair out with --skip {entry.image.name}."
        )
    if image_HWC.dtype == np.float32 and not np.isfinite(image_HWC).all():
        raise DataError(f"{entry.image} has pixels that are not numbers. Replace them, or --skip {entry.image.name}.")
    low, high, mean, std = _statistics(image_HWC)
    sample = Sample(
        name=name,
        image=_relative(entry.image, root),
        mask=_relative(entry.mask, root) if entry.mask else None,
        split=entry.split,
        content=_hash(entry.image),
        mask_content=_hash(entry.mask) if entry.mask else None,
        height=height,
        width=width,
        channels=channels,
        dtype=str(image_HWC.dtype),
        low=low,
        high=high,
        mean=mean,
        std=std,
        values=_count(mask) if mask else {},
    )
    return sample, mask.style if mask else None


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()


def _statistics(image_HWC: NDArray[Any]) -> tuple[float, float, tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest value, then mean and standard deviation a channel."""
    if image_HWC.dtype != np.uint8:
        flat = image_HWC.reshape(-1, image_HWC.shape[2]).astype(np.float64)
        return float(flat.min()), float(flat.max()), tuple(flat.mean(axis=0).tolist()), tuple(flat.std(axis=0).tolist())
    # A histogram holds all there is to know of 8 bits, and costs a fifth of the float route.
    histogram = np.stack([np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(image_HWC, 2, 0)])
    levels, shares = np.arange(256), histogram / histogram.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt(np.maximum(0, shares @ levels**2 - mean**2))
    present = np.flatnonzero(histogram.sum(axis=0))
    return float(present[0]), float(present[-1]), tuple(mean.tolist()), tuple(std.tolist())


def _count(mask: Mask) -> dict[int, int]:
    if mask.values.dtype == np.uint8:
        counts = np.bincount(mask.values.ravel(), minlength=256)
        return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}
    values, counts = np.unique(mask.values, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _some_coloured(measured: list[tuple[Sample, MaskStyle | None]]) -> bool:
    return any(style and style.mode == "colour" for _, style in measured)


def _in_colour(root: Path, measured: list[tuple[Sample, MaskStyle | None]]) -> list[tuple[Sample, MaskStyle | None]]:
    """Among coloured masks one that happens to be all grey is a coloured one too."""
    out: list[tuple[Sample, MaskStyle | None]] = []
    for sample, style in measured:
        if style and style.mode != "colour" and sample.mask:
            mask = read_mask(root / sample.mask, colour=True)
            out.append((sample.model_copy(update={"values": _count(mask)}), mask.style))
        else:
            out.append((sample, style))
    return out


def _labels(root: Path, stated: DatasetFile, measured: list[tuple[Sample, MaskStyle | None]]) -> tuple[Labels, str]:
    style = _common_style([style for _, style in measured if style])
    counts = {sample.mask: sample.values for sample, _ in measured if sample.mask}
    if stated.classes is not None:
        chosen = labels.declared(stated.classes, stated.ignore, style)
        for file, of_file in counts.items():
            if strange := [value for value in of_file if value not in chosen.label_of]:
                raise DataError(chosen.complaint(strange, sum(of_file[v] for v in strange), root / file))
        return chosen, f"classes as {dataset_file.NAME} states them"
    names = _class_list(root)
    if not names:
        _demand_one_palette(measured)
    return labels.infer(counts, style, names, [labels.value_of(value) for value in stated.ignore])


def _common_style(styles: list[MaskStyle]) -> MaskStyle:
    """The style that can hold every mask's values: the deepest, and the commonest one, its palette the longest."""
    deepest = [style for style in styles if style.dtype == "uint16"] or styles
    mode = Counter(style.mode for style in deepest).most_common(1)[0][0]
    times = Counter(style for style in deepest if style.mode == mode)
    return max(times, key=lambda style: (len(style.palette or ()), times[style]))


def _demand_one_palette(measured: list[tuple[Sample, MaskStyle | None]]) -> None:
    """Nothing, or an error: some programs number the colours of each mask anew."""
    first: dict[int, tuple[tuple[int, int, int], str | None]] = {}
    for sample, style in measured:
        palette = style.palette if style and style.palette else ()
        for value in sample.values:
            if not 0 <= value < len(palette):
                continue
            colour, file = first.setdefault(value, (palette[value], sample.mask))
            if colour != palette[value]:
                raise DataError(
                    f"The value {value} is #{bytes(colour).hex()} in {file} but #{bytes(palette[value]).hex()} in "
                    f"{sample.mask}: their palettes differ. Say in dataset.yaml what counts, the number or the colour: "
                    "classes: {NAME: 1} or classes: {NAME: '#ff8000'}."
                )


def _class_list(root: Path) -> list[str] | None:
    for name in CLASS_LISTS:
        if (path := root / name).is_file():
            try:
                names = [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
            except UnicodeDecodeError:
                raise DataError(f"{path}, the list of classes, is not UTF-8 text. Save it as UTF-8.") from None
            if len(names) >= 2 and len(names) == len(set(names)):
                return names
    return None


def _split(
    samples: list[Sample], root: Path, stated: DatasetFile, test: Sequence[str], val: Sequence[str]
) -> list[Sample]:
    """Every sample with its part: as asked for, else as published, else by its name."""
    # The last one wins: what is to be kept for the test is never trained on.
    asked: dict[str, list[str]] = {
        "train": [*stated.split.get("train", ())],
        "val": [*val, *stated.split.get("val", ())],
        "test": [*test, *stated.split.get("test", ())],
    }
    parts: list[str | None] = [sample.split for sample in samples]
    for split, patterns in asked.items():
        for pattern in patterns:
            hits = [i for i, s in enumerate(samples) if _matches(root / s.image, root, [pattern])]
            if not hits:
                raise DataError(f"The {split} pattern {pattern!r} matches no image in {root}.")
            for i in hits:
                parts[i] = split
    parts = [part or "train" for part in parts]
    if not any(part == "val" and s.mask for s, part in zip(samples, parts, strict=True)):
        for i in _held_out([s.name if p == "train" and s.mask else None for s, p in zip(samples, parts, strict=True)]):
            parts[i] = "val"
    if not any(part == "train" and s.mask for s, part in zip(samples, parts, strict=True)):
        raise DataError(f"No image of {root} is left to train on: all are set aside for validation or test.")
    return [s.model_copy(update={"split": part}) for s, part in zip(samples, parts, strict=True)]


def _held_out(names: list[str | None]) -> list[int]:
    """Places of the validation samples among the training ones; None stands for what is not to be drawn.

    Seeded by file name, not by position: adding an image never moves another one. Of two or more, one is drawn.
    """
    score = {i: number("split", name) / 2**63 for i, name in enumerate(names) if name is not None}
    if len(score) < 2:
        return []
    drawn = [i for i, value in score.items() if value < VALIDATION_SHARE]
    drawn = drawn or [min(score, key=score.__getitem__)]
    return drawn if len(drawn) < len(score) else drawn[:-1]


def _names(paths: list[Path], root: Path) -> list[str]:
    """Each image's stem if no other has it, else its path without the ending, else its whole path.

    Image by image: adding one gives at most its namesakes another name, and so another part of the split.
    """
    relative = [Path(_relative(path, root)) for path in paths]
    names = [path.stem for path in relative]
    for form in (lambda p: p.with_suffix("").as_posix(), lambda p: p.as_posix()):
        times = Counter(names)
        names = [name if times[name] == 1 else form(path) for name, path in zip(names, relative, strict=True)]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{twice[0]} is named twice in {root}; list each image once.")
    return names


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path.resolve())
