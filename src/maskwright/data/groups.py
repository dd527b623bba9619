"""Groups: images of one patient, scene, video or slide, which stay together whatever part they go to."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from maskwright.data.sample import Sample
from maskwright.errors import DataError, SettingError

NONE = "none"
"""What is written where images are to be drawn one by one, whatever their names look like."""
TEMPLATE = "{group}"

Groups = Sequence[str | None]
"""The group of each image, in the order of the images; None: it is alone."""
Stated = str | Mapping[str, str]


@dataclass(frozen=True)
class Unit:
    """Images that are drawn together or not at all: a group, or an image without one."""

    name: str
    members: tuple[int, ...]
    grouped: bool = False
    """A group and an image may bear one name."""

    @property
    def size(self) -> int:
        """How many images it has."""
        return len(self.members)


@dataclass(frozen=True)
class Crossing:
    """A group that has images in several parts."""

    group: str
    images: Mapping[str, int]
    """Part → labelled images."""


def together(names: Sequence[str | None], groups: Groups | None = None) -> list[Unit]:
    """The units that these images make, in the order of their first image; None stands for what belongs to none."""
    found: dict[tuple[str, int | None], list[int]] = {}
    for i, name in enumerate(names):
        if name is not None:
            group = groups[i] if groups else None
            found.setdefault((name, i) if group is None else (group, None), []).append(i)
    return [Unit(name, tuple(members), alone is None) for (name, alone), members in found.items()]


def crossing(samples: Sequence[Sample], groups: Groups | None = None) -> list[Crossing]:
    """The groups whose labelled images are in more than one part, the largest first.

    groups: those of the samples, in their order; None: those that the samples themselves name.
    """
    parts: dict[str, Counter[str]] = {}
    for sample, group in zip(samples, groups or [s.group for s in samples], strict=True):
        if group is not None and sample.mask and sample.split:
            parts.setdefault(group, Counter())[sample.split] += 1
    crossed = [Crossing(group, dict(images)) for group, images in parts.items() if len(images) > 1]
    return sorted(crossed, key=lambda found: (-sum(found.images.values()), found.group))


def paths_of(samples: Sequence[Sample]) -> list[str]:
    """What patterns of groups look at: each image's path in the data set without its ending; of a page of a stack with
    its number, `stack_07`.
    """
    last: dict[str, int] = {}
    for sample in samples:
        last[sample.image] = max(last.get(sample.image, 0), sample.page or 0)
    return [
        str(PurePosixPath(s.image).with_suffix(""))
        + ("" if s.page is None else f"_{s.page:0{len(str(last[s.image]))}}")
        for s in samples
    ]


def read_groups(stated: Stated, samples: Sequence[Sample], root: Path) -> list[str | None]:
    """The group of each sample, as stated.

    stated: a regular expression with one pair of parentheses round the group, looked for in the path without its
    ending; a template such as `{group}_*`, for the file's name or the path; a table NAME.csv of name and group, beside
    the data; a mapping of names to groups; or `none`.

    Raises:
        SettingError: the expression is none, or has another number of parentheses.
        DataError: it matches no image, a table is not there, or has no line for an image.
    """
    if stated == NONE:
        return [None] * len(samples)
    if isinstance(stated, Mapping):
        return _looked_up(stated, samples, "groups:")
    if stated.lower().endswith((".csv", ".tsv")):
        return _looked_up(_table(stated, root), samples, stated)
    expression = pattern_of(stated)
    found = [group_of(expression, path) for path in paths_of(samples)]
    if not any(group is not None for group in found):
        raise DataError(
            f"The pattern of groups {stated!r} matches no image in {root}; they are called, for example, "
            f"{', '.join(paths_of(samples)[:3])}. Mend the pattern, or write groups: {NONE}."
        )
    return found


def pattern_of(stated: str) -> re.Pattern[str]:
    """The regular expression that a pattern or a template means; its one group is the image's.

    Raises:
        SettingError: it is no regular expression, or has no parentheses, or several pairs.
    """
    if TEMPLATE in stated:
        return _template(stated)
    try:
        expression = re.compile(stated)
    except re.error as error:
        raise SettingError(f"groups: {stated!r} is no regular expression: {error}.") from None
    if expression.groups != 1:
        raise SettingError(
            f"groups: {stated!r} needs one pair of parentheses round what names the group, and has "
            f"{expression.groups}; write it as '(patient\\d+)_', as {TEMPLATE}_*, as a table .csv, or {NONE}. "
            "Further pairs are written (?:…)."
        )
    return expression


def group_of(expression: re.Pattern[str], path: str) -> str | None:
    """The group that an expression finds in a path; None where it finds none, or nothing at all."""
    hit = expression.search(path)
    return (hit.group(1) or None) if hit else None


def _template(stated: str) -> re.Pattern[str]:
    """`{group}_*` as an expression: * is any text, ? a letter; the group is as short as it can be."""
    if stated.count(TEMPLATE) != 1:
        raise SettingError(f"groups: {stated!r} should name {TEMPLATE} once.")
    # Without a slash it means the file's name, with one the whole path.
    inner, start = (".", "^") if "/" in stated else ("[^/]", r"(?:^|/)")
    wild = {"*": f"{inner}*", "?": inner}
    before, after = ("".join(wild.get(letter, re.escape(letter)) for letter in end) for end in stated.split(TEMPLATE))
    return re.compile(f"{start}{before}([^/]+?){after}$")


def _table(stated: str, root: Path) -> dict[str, str]:
    path = root / stated
    if not path.is_file():
        raise DataError(f"The table of groups {path} does not exist. It should have a name and a group a line.")
    rows: list[list[str]] = []
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        for row in csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","):
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append(cells)
    for line, row in enumerate(rows, start=1):
        if len(row) < 2 or not row[0] or not row[1]:
            raise DataError(f"{path}, row {line}: expected a name and a group, as 'img_07,patient3', found {row}.")
    return _unambiguous(rows, path)


def _unambiguous(rows: list[list[str]], path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, group, *_ in rows:
        if found.setdefault(name, group) != group:
            raise DataError(f"{path} puts {name} into {found[name]} and into {group}. Keep one of the lines.")
    return found


def _looked_up(table: Mapping[str, str], samples: Sequence[Sample], source: str) -> list[str | None]:
    found = [_entry(table, sample, path) for sample, path in zip(samples, paths_of(samples), strict=True)]
    missing = [s.name for s, group in zip(samples, found, strict=True) if group is None and s.mask]
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise DataError(
            f"{source} has no group for {len(missing)} of {len(samples)} images: {shown}. Add a line for each; an "
            "image that is alone is a group of its own name."
        )
    return found


def _entry(table: Mapping[str, Any], sample: Sample, path: str) -> str | None:
    """By path or name, with or without the ending, the most particular first."""
    ending = PurePosixPath(sample.image).suffix
    name = PurePosixPath(path).name
    keys = (path + ending, path, sample.name, name + ending, name, sample.image, PurePosixPath(sample.image).name)
    return next((str(table[key]) for key in keys if key in table), None)
