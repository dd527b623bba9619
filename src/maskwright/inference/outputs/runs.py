"""Run lengths, one table for all images, as contests take them."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from maskwright.errors import DataError, SettingError
from maskwright.files import Origin
from maskwright.files.runlengths import HEADER, LONGEST
from maskwright.inference.outputs.registry import OBJECTS, outputs, part_of
from maskwright.inference.result import Result
from maskwright.inference.things import Thing, things
from maskwright.records import Record, replacing
from maskwright.regions.outlines import column_runs

FUSED = ("ImageId_ClassId", "EncodedPixels")
"""The columns of contests with several classes."""


@outputs.register("runs")
class RunLengths(Record):
    """CSV of run lengths down the columns, pixels numbered from 1: a row an image and class; of one foreground class
    `id,rle_mask`, of more `ImageId_ClassId,EncodedPixels` with the mask's value after the image's stem.

    `objects`: a row an object instead, as the 2018 Data Science Bowl wants it, of one foreground class.
    """

    about: ClassVar[str] = "runs.csv of all images: run lengths for Kaggle, a row a class, or an object (objects)"
    file: ClassVar[str] = "runs.csv"

    of: Literal["classes", "objects"] = "classes"

    @property
    def needs(self) -> frozenset[str]:
        """Objects, where each has a row."""
        return frozenset({OBJECTS} if self.of == "objects" else ())

    def path(self, origin: Origin, target: Path) -> Path:
        """The part of one image."""
        return part_of(target, ".runs.csv")

    def write(self, result: Result, target: Path) -> Path:
        """Write the part: the table of one image.

        Raises:
            SettingError: objects of several classes are asked for, which no contest's table tells apart.
        """
        path = self.path(result.origin, target)
        shown = [label for label in range(result.classes.count) if label != result.classes.background]
        if self.of == "objects" and len(shown) > 1:
            raise SettingError(
                f"runs=objects is for one foreground class; this model knows {', '.join(result.classes.names)}. "
                "Ask for coco=runs, which keeps objects and classes."
            )
        heading = HEADER if len(shown) == 1 else FUSED
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(heading)
            table.writerows(self._rows(result, target.name, shown))
        return path

    def finish(self, parts: Sequence[Path], file: Path) -> Path:
        """Write the one table, in the order of the parts.

        Raises:
            DataError: two images have one name, so that their rows could not be told apart.
        """
        seen: dict[str, Path] = {}
        usual = csv.field_size_limit(LONGEST)
        try:
            with replacing(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as whole:
                table = csv.writer(whole, lineterminator="\n")
                if not parts:
                    table.writerow(HEADER)
                for number, part in enumerate(parts):
                    with part.open(encoding="utf-8", newline="") as rows:
                        for place, row in enumerate(csv.reader(rows)):
                            if place and seen.setdefault(row[0], part) != part:
                                raise DataError(
                                    f"{row[0]!r} would be in {file} twice. Give each image a name of its own."
                                )
                            if place or not number:
                                table.writerow(row)
        finally:
            csv.field_size_limit(usual)
        return file

    def _rows(self, result: Result, stem: str, shown: Sequence[int]) -> Iterator[tuple[str, str]]:
        height = result.labels.shape[0]
        found = list(things(result))
        if self.of == "objects":
            for thing in found:
                yield stem, _runs([thing], height)
            if not found:
                yield stem, ""
            return
        for label in shown:
            name = stem if len(shown) == 1 else f"{stem}_{result.classes.classes[label].values[0]}"
            yield name, _runs([thing for thing in found if thing.label == label], height)


def _runs(parts: Sequence[Thing], height: int) -> str:
    rings = [ring for thing in parts for outline in thing.outlines for ring in outline.rings]
    starts, lengths = column_runs(rings, height)
    return " ".join(map(str, np.column_stack([starts + 1, lengths]).ravel().tolist()))
