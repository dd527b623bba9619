"""A table of measurements, a row an object, of all images."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from maskwright.files import Origin
from maskwright.inference.outputs.registry import OBJECTS, outputs, part_of
from maskwright.inference.result import Result
from maskwright.records import Record, replacing
from maskwright.regions.measurements import measured


@outputs.register("measurements")
class Measurements(Record):
    """CSV of what was measured of each object; a column that an image has no numbers for is empty there."""

    about: ClassVar[str] = "measurements.csv of all images: a row an object; pandas, R, Excel"
    needs: ClassVar[frozenset[str]] = frozenset({OBJECTS})
    file: ClassVar[str] = "measurements.csv"

    def path(self, origin: Origin, target: Path) -> Path:
        """The part of one image."""
        return part_of(target, ".measurements.csv")

    def write(self, result: Result, target: Path) -> Path:
        """Write the part: the table of one image."""
        assert result.objects is not None, "they are needed"
        path = self.path(result.origin, target)
        found = measured(result.objects, result.scene, result.classes.names)
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["image", *found.columns])
            table.writerows([target.name, *row] for row in found.rows())
        return path

    def finish(self, parts: Sequence[Path], file: Path) -> Path:
        """Write the one table, in the order of the parts, with the columns that any of them has."""
        columns: dict[str, None] = {}
        for part in parts:
            with part.open(encoding="utf-8", newline="") as rows:
                columns |= dict.fromkeys(next(csv.reader(rows)))
        with replacing(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as whole:
            table = csv.DictWriter(whole, list(columns) or ["image"], restval="", lineterminator="\n")
            table.writeheader()
            for part in parts:
                with part.open(encoding="utf-8", newline="") as rows:
                    table.writerows(csv.DictReader(rows))
        return file
