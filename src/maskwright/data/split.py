"""The split: which samples are trained on, validated on, and kept for the test."""

from collections.abc import Sequence
from pathlib import Path

from maskwright.data.dataset_file import DatasetFile
from maskwright.data.names import matches
from maskwright.data.randomness import number
from maskwright.data.sample import Sample
from maskwright.errors import DataError

VALIDATION_SHARE = 0.15


def assign(
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
            hits = [i for i, s in enumerate(samples) if matches(root / s.image, root, [pattern])]
            if not hits:
                raise DataError(f"The {split} pattern {pattern!r} matches no image in {root}.")
            for i in hits:
                parts[i] = split
    parts = [part or "train" for part in parts]
    if not any(part == "val" and s.mask for s, part in zip(samples, parts, strict=True)):
        for i in held_out([s.name if p == "train" and s.mask else None for s, p in zip(samples, parts, strict=True)]):
            parts[i] = "val"
    if not any(part == "train" and s.mask for s, part in zip(samples, parts, strict=True)):
        raise DataError(f"No image of {root} is left to train on: all are set aside for validation or test.")
    return [s.model_copy(update={"split": part}) for s, part in zip(samples, parts, strict=True)]


def held_out(names: list[str | None]) -> list[int]:
    """Places of the validation samples among the training ones; None stands for what is not to be drawn.

    Seeded by file name, not by position: adding an image never moves another one. Of two or more, one is drawn.
    """
    score = {i: number("split", name) / 2**63 for i, name in enumerate(names) if name is not None}
    if len(score) < 2:
        return []
    drawn = [i for i, value in score.items() if value < VALIDATION_SHARE]
    drawn = drawn or [min(score, key=score.__getitem__)]
    return drawn if len(drawn) < len(score) else drawn[:-1]
