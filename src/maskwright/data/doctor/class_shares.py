"""Classes that are rare, or that some part does not show."""

from collections.abc import Iterator, Sequence
from typing import Final

from maskwright.data.doctor.label_evidence import SHOWN, counted, first, label_counts, mask_files
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey

RARE: Final = 1e-3
"""Of the pixels that count: below it a loss by pixels hardly sees a class."""

_PART = {"train": "training", "val": "validation", "test": "test"}


class ClassShares:
    """Classes without a pixel, in one image only, in one part only, or of few pixels."""

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """What is found, for all the classes of a kind together."""
        if survey.samples is None:
            return
        names = survey.samples.labels.names
        labelled = [sample for sample in survey.samples.samples if sample.mask]
        counts = {sample.name: label_counts(survey.samples.labels, sample) for sample in labelled}
        showing = [[sample for sample in labelled if label in counts[sample.name]] for label in range(len(names))]
        pixels = [sum(counts[s.name][label] for s in samples) for label, samples in enumerate(showing)]
        parts = {part: {label for s in labelled if s.split == part for label in counts[s.name]} for part in _PART}
        yield from _absent([name for name, samples in zip(names, showing, strict=True) if not samples])
        yield from _unlearned(names, showing, parts)
        yield from _unscored(names, showing, parts)
        if len(labelled) > 1:
            yield from _single([(name, s[0]) for name, s in zip(names, showing, strict=True) if len(s) == 1])
        rare = [label for label, n in enumerate(pixels) if 0 < n < RARE * sum(pixels)]
        yield from _rare(names, rare, pixels, showing)


def _absent(names: list[str]) -> Iterator[Finding]:
    if names:
        yield Finding(
            code="classes-absent",
            severity="warning",
            title=f"{counted(len(names), 'class has', 'classes have')} no pixel in any mask: {first(names, 6)}",
            why="The network keeps an output for each of them that never learns, and its score is told as absent.",
            remedy="Check the class list against the masks, or name under classes: in dataset.yaml only what occurs.",
            details=tuple(names),
        )


def _unlearned(names: list[str], showing: Sequence[Sequence[Sample]], parts: dict[str, set[int]]) -> Iterator[Finding]:
    labels = sorted((parts["val"] | parts["test"]) - parts["train"])
    if labels:
        samples = [sample for label in labels for sample in showing[label]]
        yield Finding(
            code="classes-not-in-training",
            severity="warning",
            title=f"Training never shows {first([names[label] for label in labels], 6)}",
            files=mask_files(samples),
            why="Validation or test do, so the model is scored for what it cannot have learned.",
            remedy="Move images that show it to training (split: in dataset.yaml), draw with another seed, or "
            "merge the class with another.",
            pictures=tuple(dict.fromkeys(sample.name for sample in samples[:SHOWN])),
            details=tuple(_where(names[label], showing[label]) for label in labels),
        )


def _unscored(names: list[str], showing: Sequence[Sequence[Sample]], parts: dict[str, set[int]]) -> Iterator[Finding]:
    for part in ("val", "test"):
        labels = sorted(parts["train"] - parts[part]) if parts[part] else []
        if labels:
            yield Finding(
                code=f"classes-not-in-{_PART[part]}",
                severity="note",
                title=f"The {_PART[part]} part never shows {first([names[label] for label in labels], 6)}",
                files=mask_files(sample for label in labels for sample in showing[label]),
                why="How well it is found cannot be told there.",
                remedy=f"Add images that show it to the {_PART[part]} part, or draw a larger share.",
                details=tuple(_where(names[label], showing[label]) for label in labels),
            )


def _single(found: list[tuple[str, Sample]]) -> Iterator[Finding]:
    if found:
        yield Finding(
            code="classes-in-one-image",
            severity="warning",
            title=f"{counted(len(found), 'class is', 'classes are')} shown by one image only: "
            f"{first([name for name, _ in found], 6)}",
            files=mask_files(sample for _, sample in found),
            why="It can be learned or scored, but not both.",
            remedy="Annotate more of it, or merge the class with another under classes: in dataset.yaml.",
            pictures=tuple(dict.fromkeys(sample.name for _, sample in found))[:SHOWN],
            details=tuple(f"{name}: {sample.mask}" for name, sample in found),
        )


def _rare(
    names: list[str], labels: list[int], pixels: list[int], showing: Sequence[Sequence[Sample]]
) -> Iterator[Finding]:
    if labels:
        yield Finding(
            code="classes-rare",
            severity="note",
            title=f"{counted(len(labels), 'class fills', 'classes fill')} less than {RARE:.1%} of the pixels: "
            f"{first([names[label] for label in labels], 6)}",
            files=mask_files(sample for label in labels for sample in showing[label]),
            why="A loss by pixels hardly sees them; their scores rest on few pixels.",
            remedy="Nothing, if they matter as little; else annotate more, or merge them under classes:.",
            details=tuple(f"{names[i]}: {pixels[i] / sum(pixels):.4%} of the pixels" for i in labels),
        )


def _where(name: str, samples: Sequence[Sample]) -> str:
    parts = {part: sum(sample.split == part for sample in samples) for part in _PART}
    return f"{name}: " + ", ".join(f"{n} {_PART[part]}" for part, n in parts.items() if n) + " images"


checks.register("classes-shares")(ClassShares())
