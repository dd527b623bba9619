"""How masks are stored: frayed, by different programs, or in a format that changes values."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from maskwright.data.classes import PALETTES
from maskwright.data.doctor.label_evidence import SHOWN, counted, first, mask_files, masks
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.labels import Labels
from maskwright.data.measure import Stored
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey

LOSSY: Final = {".jpg", ".jpeg", ".jpe"}
Masks = list[tuple[Sample, Stored]]


class StoredMasks:
    """Masks that are read with something taken for something else; each is said."""

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """What is found of the mask files; nothing where labels are drawn otherwise."""
        found = [(sample, stored) for sample, stored in masks(survey) if sample.source == "mask_file"]
        if survey.samples is not None:
            labels = survey.samples.labels
            if labels.threshold is not None or labels.tolerance is not None:
                yield from _frayed(survey, labels, found)
            yield from _two_numbers(survey, labels, found)
            yield from _palettes(survey, labels, found)
            yield from _lossy(labels, found)
        yield from _depths(found)
        yield from _kinds(found)


def _frayed(survey: Survey, labels: Labels, found: Masks) -> Iterator[Finding]:
    if survey.stated.threshold is not None or survey.stated.tolerance is not None:
        return  # a person said so
    known = labels.label_of
    odd = [sample for sample, stored in found if any(value not in known for value in stored.values)]
    key, value = ("threshold", labels.threshold) if labels.threshold is not None else ("tolerance", labels.tolerance)
    how = "parted in the middle" if key == "threshold" else "taken for the nearest colour"
    yield Finding(
        code="masks-frayed",
        severity="warning",
        title=f"{counted(len(odd), 'mask has', 'masks have')} noisy or smooth edges, {how}",
        files=mask_files(odd),
        why="JPEG and smooth resizing leave values that nobody drew; borders are then right to a pixel or two.",
        remedy=f"Export the masks again as PNG, resized by nearest neighbour; or keep {key}: {value} in dataset.yaml.",
        fix={key: value},
        pictures=tuple(sample.name for sample in odd[:SHOWN]),
    )


def _two_numbers(survey: Survey, labels: Labels, found: Masks) -> Iterator[Finding]:
    """Masks of 0 and 1 beside masks of 0 and 255."""
    if labels.count != 2 or survey.stated.classes is not None:
        return
    values = max((c.values for c in labels.classes), key=len)
    if len(values) < 2 or 1 not in values:
        return
    using = {value: [sample for sample, stored in found if value in stored.values] for value in values}
    fewer = [sample for value in values[1:] for sample in using[value]]
    yield Finding(
        code="masks-mixed-values",
        severity="note",
        title=f"{counted(len(fewer), 'mask writes', 'masks write')} foreground as "
        f"{first([str(v) for v in values[1:]])}, the others as {values[0]}",
        files=mask_files(fewer),
        why="They were saved by different programs; both numbers are taken for one class. If 255 means pixels that "
        "count nowhere, that is wrong.",
        remedy="Nothing, or say in dataset.yaml what is meant: classes: {background: 0, foreground: [1, 255]}, or "
        "ignore: [255].",
        fix={"classes": {c.name: list(c.values) for c in labels.classes}},
        pictures=tuple(sample.name for sample in fewer[:SHOWN]),
    )


def _palettes(survey: Survey, labels: Labels, found: Masks) -> Iterator[Finding]:
    turned = [s for s, stored in found if stored.style and stored.style.palette]
    if labels.style.mode != "colour" or survey.stated.classes is not None or not turned:
        return
    yield Finding(
        code=PALETTES,
        severity="note",
        title=f"The palettes of {counted(len(turned), 'mask')} number the same colours differently",
        files=mask_files(turned),
        why="An index means another class in another file, so the masks are read by the colours they show.",
        remedy="Nothing, or name the colours in dataset.yaml: classes: {NAME: '#rrggbb'}.",
        fix={"classes": {c.name: [f"#{v:06x}" for v in c.values] for c in labels.classes}},
        pictures=tuple(sample.name for sample in turned[:SHOWN]),
    )


def _lossy(labels: Labels, found: Masks) -> Iterator[Finding]:
    if labels.threshold is not None or labels.tolerance is not None:
        return  # told as frayed
    odd = [s for s, stored in found if Path(s.mask or "").suffix.lower() in LOSSY and len(stored.values) > 1]
    if odd and labels.count > 2:
        yield Finding(
            code="masks-lossy",
            severity="warning",
            title=f"{counted(len(odd), 'mask is a JPEG', 'masks are JPEGs')}",
            files=mask_files(odd),
            why="JPEG changes values by a few: where classes are numbered 0, 1, 2 … a pixel becomes another class, and "
            "nothing tells which.",
            remedy="Export the masks again as PNG from where they were drawn.",
            pictures=tuple(sample.name for sample in odd[:SHOWN]),
        )


def _depths(found: Masks) -> Iterator[Finding]:
    deep = [sample for sample, stored in found if stored.style and stored.style.dtype == "uint16"]
    flat = [sample for sample, stored in found if stored.style and stored.style.dtype == "uint8"]
    if not deep or not flat:
        return
    fewer, bits = min((deep, 16), (flat, 8), key=lambda kind: len(kind[0]))
    yield Finding(
        code="masks-mixed-depth",
        severity="note",
        title=f"{counted(len(fewer), 'mask has', 'masks have')} {bits} bits, the others {24 - bits}",
        files=mask_files(fewer),
        why="Full is 255 in the ones and 65535 in the others. Values are read as stored, and both count as full.",
        remedy="Nothing, if the classes above are right; else name the values in dataset.yaml, under classes:.",
    )


def _kinds(found: Masks) -> Iterator[Finding]:
    """Few files stored otherwise than most: with colours, a palette, or neither. One without labels is of any kind."""
    kinds = Counter(stored.style.mode for _, stored in found if stored.style)
    if len(kinds) < 2:
        return
    usual = kinds.most_common(1)[0][0]
    odd = [s for s, stored in found if stored.style and stored.style.mode != usual and set(stored.values) - {0}]
    if not odd or len(odd) > len(found) / 4:
        return
    modes = {s.name: stored.style.mode for s, stored in found if stored.style}
    yield Finding(
        code="masks-other-kind",
        severity="warning",
        title=f"{counted(len(odd), 'mask is', 'masks are')} stored otherwise than the others ({usual})",
        files=mask_files(odd),
        why="It may come from another program, in which a value means something else.",
        remedy=f"Look at {first(mask_files(odd))}; export anew, or leave out with --skip.",
        fix={"skip": list(mask_files(odd))},
        pictures=tuple(sample.name for sample in odd[:SHOWN]),
        details=tuple(f"{sample.mask}: {modes[sample.name]}" for sample in odd[:SHOWN]),
    )


checks.register("masks-stored")(StoredMasks())
