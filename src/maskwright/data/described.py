"""A `dataset.yaml` of what was recognised: every line with its reason, to be read, edited, and law afterwards."""

import os
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from maskwright.data.dataset_file import NAME, DatasetFile, SplitFile
from maskwright.data.groups import paths_of
from maskwright.data.labels import Labels
from maskwright.data.proposals import of_stacks, propose_groups
from maskwright.data.split import VALIDATION_SHARE, Draw
from maskwright.data.survey import Asked, Survey
from maskwright.errors import DataError
from maskwright.records import replacing

WIDTH: Final = 110
_Part = Literal["val", "test"]
_PIXELS: Final = {"mask_file", "object_files", "object_values", "classed_values", "classes_and_objects"}
"""Sources whose mask values stand in files; what others draw by name is better called by its name."""


@dataclass(frozen=True)
class Described:
    """What a `dataset.yaml` would say of a folder, and why."""

    root: Path
    """The folder with the data."""
    file: DatasetFile
    notes: tuple[str, ...]
    """Of the whole."""
    reasons: Mapping[str, str]
    """Key → why it says what it says."""

    def text(self) -> str:
        """The file with its comments."""
        parts = [_comment(note) for note in self.notes]
        for key, value in _said(self.file).items():
            lines = [f"  {_inline({k: v})[1:-1]}" for k, v in value.items()] if isinstance(value, dict) else []
            if any(line.startswith("  ? ") or "\n" in line for line in lines):
                lines = []  # a name that is no plain key
            body = "\n".join([f"{key}:", *lines]) if lines else f"{key}: {_inline(value)}"
            parts.append(f"\n{_comment(self.reasons[key])}{body}\n" if key in self.reasons else f"\n{body}\n")
        return "".join(parts)


def describe(survey: Survey, asked: Asked | None = None) -> Described:
    """The `dataset.yaml` that says all that was recognised: read with it, the folder gives the same samples, classes
    and parts.

    asked: what was asked for besides what the folder's own file says, such as `--test` and `--skip`; it is written too.

    Raises:
        DataError: a training would be refused, so there is nothing yet that holds together.
    """
    if survey.samples is None:
        first = survey.faults[0] if survey.faults else "there are no samples"
        raise DataError(f"What {survey.root} holds cannot be written down before it holds together: {first}")
    asked = asked or Asked()
    labels = survey.samples.labels
    instances = survey.stated.instances
    split, why = _split(survey, asked)
    known = {name: value for name, value in survey.samples.table.items()} if _drawn_by_name(survey) else {}
    update: dict[str, Any] = {
        "path": None,
        "classes": {c.name: _class(c.values, c.colour, labels, known) for c in labels.classes},
        "ignore": () if instances is True else tuple(_value(v, labels, known) for v in labels.ignored),
        "threshold": labels.threshold,
        "tolerance": labels.tolerance,
        "others": labels.others,
        "split": split,
        "skip": tuple(dict.fromkeys((*survey.stated.skip, *asked.skip))),
    }
    if "layout" in DatasetFile.model_fields and survey.stated.images is None:
        update["layout"] = survey.layout
    file = DatasetFile.model_validate({**survey.stated.plain(), **update})
    reasons = {key: reason for key, reason in _reasons(survey, labels, why).items() if key in _said(file)}
    head = (
        f"What was recognised in {survey.root.resolve().name}. Edit it: what it says is law.",
        *(note for note in survey.samples.notes if note not in reasons.values()),
    )
    return Described(survey.root, file, head, reasons)


def write(path: str | Path, described: Described) -> Path:
    """Write it, whole or not at all, and never over a file. Returns the path.

    path: a file, or the folder that gets a `dataset.yaml`.

    Raises:
        DataError: the file is there already, or is called otherwise than .yaml.
    """
    path = Path(path)
    path = path / NAME if path.is_dir() else path
    if path.suffix.lower() not in {".yaml", ".yml"}:
        raise DataError(f"{path} should end in .yaml: that is what it is read as.")
    file = described.file
    if path.parent.resolve() != described.root.resolve():
        file = file.model_copy(update={"path": _way(path.parent.resolve(), described.root.resolve())})
    text = Described(described.root, file, described.notes, described.reasons).text()
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")
        DatasetFile.load(temporary)  # what we could not read ourselves is not left behind
        if path.exists():
            raise DataError(
                f"{path} is there already, and nothing is written over it. Give another name, and compare the two: "
                f"--write {path.with_stem(path.stem + '-new')}."
            )
    return path


def _split(survey: Survey, asked: Asked) -> tuple[SplitFile, str]:
    """The parts as they would be said, and why: by patterns or shares, or not at all where the folder itself says."""
    stated = survey.stated.split
    draw = Draw.stated(
        survey.stated, asked.share, asked.test_share, asked.stratify, asked.split_seed,
        groups=asked.groups, propose=asked.propose, folds=asked.folds, fold=asked.fold,
    )  # fmt: skip
    groups = draw.groups if draw.groups is not None else _followed(survey)
    update: dict[str, Any] = {"stratify": draw.stratify, "seed": draw.seed, "groups": groups}
    update |= {"folds": draw.folds, "fold": draw.fold}
    told = []
    wanted: tuple[tuple[_Part, Sequence[str]], ...] = (("test", asked.test), ("val", asked.val))
    for part, more in wanted:
        patterns = tuple(dict.fromkeys((*more, *stated.patterns(part))))
        share = draw.test if part == "test" else draw.val
        if patterns:
            update[part] = patterns
            told.append(f"{part}: named")
        elif part == "val" and draw.folds:
            update[part] = None
            told.append(f"val: fold {draw.fold} of {draw.folds}, from 0; the others validate in turn")
        elif _is_drawn(survey, part):
            update[part] = share if share is not None else VALIDATION_SHARE
            told.append(f"{part}: drawn by the hash of the names, so adding an image moves no other")
        else:
            update[part] = None
            if any(one.entry.split == part for one in survey.seen):
                told.append(f"{part}: as {survey.layout} has it ({survey.pairs.reason}); not repeated here")
    return stated.model_copy(update=update), "; ".join(told)


def _followed(survey: Survey) -> str | None:
    """The pattern of the groups that names show, where they are kept together."""
    labelled = [sample for sample in survey.samples.samples if sample.mask] if survey.samples else []
    if not any(sample.group for sample in labelled):
        return None
    names = paths_of(labelled)
    found = of_stacks(names, [sample.page for sample in labelled]) or propose_groups(names)
    return found.pattern if found else None


def _is_drawn(survey: Survey, part: _Part) -> bool:
    """Whether an image, that no pattern puts there, is in a part which the layout does not put it in."""
    samples = ((one.entry, one.measured.sample) for one in survey.seen if one.measured)
    return any(s.mask and s.split == part != entry.split for entry, s in samples)


def _reasons(survey: Survey, labels: Labels, split: str) -> dict[str, str]:
    reasons = {
        "classes": survey.reasons.get("classes", ""),
        "ignore": "values of pixels that count nowhere, in losses and in scores",
        "threshold": "masks with smooth or noisy edges are parted here: values below it are the lower class",
        "tolerance": "colours that are nearly a class's are taken for it: no channel may differ by more",
        "others": "pixels of any other value count nowhere; take this line out and they are an error",
        "split": split,
        "skip": "left out: names or patterns",
        "layout": survey.pairs.reason,
        "images": "the folder with the images",
        "masks": "the folder with the masks",
        "path": "where the data lie, from this file",
        "instances": _of_instances(survey.stated.instances),
    }
    if labels.style.mode == "colour":
        reasons["classes"] += "; value is the colour in the masks, colour the one it is shown in"
    return {key: reason for key, reason in reasons.items() if reason}


def _of_instances(stated: bool | int | str) -> str:
    if isinstance(stated, str):
        return "the folder of files that number the objects whose classes the masks say"
    if stated is True:
        return "masks hold a number for each object, 0 for background"
    return f"mask values are a class times {stated} and the object's number; below {stated} a class alone"


def _said(file: DatasetFile) -> dict[str, Any]:
    """What differs from an empty file, in the order of the keys."""
    plain, empty = file.plain(), DatasetFile().plain()
    said = {key: value for key, value in plain.items() if value != empty[key]}
    if "split" in said:
        said["split"] = {key: value for key, value in said["split"].items() if value != empty["split"][key]}
    return said


def _class(
    values: tuple[int, ...], colour: tuple[int, int, int], labels: Labels, known: Mapping[str, int]
) -> dict[str, Any]:
    said = [_value(value, labels, known) for value in values]
    return {"value": said[0] if len(said) == 1 else said, "colour": f"#{bytes(colour).hex()}"}


def _value(value: int, labels: Labels, known: Mapping[str, int]) -> int | str:
    name = next((name for name, number in known.items() if number == value), None)
    return name or (labels.shown(value) if labels.style.mode == "colour" else value)


def _drawn_by_name(survey: Survey) -> bool:
    """Whether labels are drawn by name: their numbers may change when a name is added."""
    return any(one.entry.source not in _PIXELS for one in survey.seen if one.entry.mask)


def _comment(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.fill(printable, WIDTH, initial_indent="# ", subsequent_indent="#   ") + "\n"


def _inline(value: Any) -> str:
    """YAML on one line."""
    # Unquoted, PyYAML takes the line ends of Unicode for its own and gives back a space.
    odd = any(code in repr(value) for code in (r"\x85", r"\u2028", r"\u2029"))
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=not odd, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")


def _way(start: Path, root: Path) -> str:
    with suppress(ValueError):  # another drive
        return Path(os.path.relpath(root, start)).as_posix()
    return str(root)
