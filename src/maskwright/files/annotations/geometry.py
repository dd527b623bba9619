"""The ways in which tools say where a thing is, and the pixels each means. H W the picture, h w a box in it.

What does not fit raises a `ReadError` without a name; whoever draws the shape puts its file and place before it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import ReadError
from maskwright.files.annotations.filling import Points, Size, Stamp, box_around, centres, enclosed, filled
from maskwright.files.runlengths import decode_runs

THINNEST: Final = 1e-6
"""Radii below it enclose no centre but by chance, and their squares would overflow."""


class Geometry(Protocol):
    """Where a thing is in the picture."""

    def area(self) -> float:
        """How large it is, to be compared with others of the same image."""
        ...

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels of a picture H W whose centres lie in it; None if there is none.

        Raises:
            ReadError: it cannot be part of a picture of this size, or its code is damaged.
        """
        ...


@dataclass(frozen=True, eq=False, slots=True)
class Polygons:
    """One or more outlined parts. Each is a ring with its holes, even-odd; what is in any of them belongs to it."""

    parts: tuple[tuple[Points, ...], ...]
    shares: bool = False
    """Whether x and y are shares of the picture's width and height, as YOLO writes them."""

    def area(self) -> float:
        """The area of the parts less their holes."""
        return sum(enclosed(ring) - sum(enclosed(hole) for hole in holes) for ring, *holes in self.parts)

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels inside."""
        scale = np.array([size[1], size[0]], float)
        parts = [[ring * scale for ring in part] for part in self.parts] if self.shares else self.parts
        stamps = [stamp for part in parts if (stamp := filled(part, size)) is not None]
        return stamps[0] if len(stamps) == 1 else _union(stamps)


@dataclass(frozen=True, eq=False, slots=True)
class Ellipse:
    """An ellipse or, with equal radii, a circle: turned by `turn` degrees, clockwise as seen."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    turn: float = 0.0

    def area(self) -> float:
        """π times both radii."""
        return float(np.pi * self.radii[0] * self.radii[1])

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels inside or on the border."""
        if min(self.radii) < THINNEST:
            return None
        cos, sin = np.cos(np.deg2rad(self.turn)), np.sin(np.deg2rad(self.turn))
        a, b = self.radii
        reach = np.array([np.hypot(a * cos, b * sin), np.hypot(a * sin, b * cos)]) + 1e-9
        box = box_around(np.array(self.centre) - reach, np.array(self.centre) + reach + 1, size)
        if box is None:
            return None
        x, y = centres(box)
        x, y = x - self.centre[0], y - self.centre[1]
        return box, ((x * cos + y * sin) / a) ** 2 + ((y * cos - x * sin) / b) ** 2 <= 1


@dataclass(frozen=True, eq=False, slots=True)
class Lines:
    """Strips of a width along broken lines, with round ends."""

    strips: tuple[Points, ...]
    width: float

    def area(self) -> float:
        """Length times width, and the round ends."""
        length = sum(float(np.hypot(*np.diff(strip, axis=0).T).sum()) for strip in self.strips)
        return self.width * length + len(self.strips) * np.pi * self.width**2 / 4

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels no further from the line than half its width."""
        return _union([s for strip in self.strips for a, b in _segments(strip) if (s := self._segment(a, b, size))])

    def _segment(self, a: Points, b: Points, size: Size) -> Stamp | None:
        reach = self.width / 2
        box = box_around(np.minimum(a, b) - reach, np.maximum(a, b) + reach + 1, size)
        if box is None:
            return None
        x, y = centres(box)
        along = b - a
        place = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / (along @ along or 1.0), 0, 1)
        away2 = (x - a[0] - place * along[0]) ** 2 + (y - a[1] - place * along[1]) ** 2
        return box, away2 <= reach**2


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """Lengths of runs in turn without and with the thing, from `corner` (row, column) over a box h w."""

    counts: NDArray[np.int64]
    box: Size
    corner: tuple[int, int] | None = None
    """None: the box is the picture, and must have its size."""
    by_columns: bool = True
    """Whether pixels are counted down the columns, as in COCO; else along the rows, as in CVAT."""

    def area(self) -> float:
        """The number of pixels."""
        return float(self.counts[1::2].sum())

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels of every second run; what comes behind the last run is without."""
        box = placed(self.box, self.corner, size)
        h, w = self.box
        if (total := float(self.counts.sum(dtype=np.float64))) > h * w:  # which does not overflow
            raise ReadError(f"its runs have {total:.0f} pixels, but {h}×{w} are {h * w}.")
        values = np.repeat(np.arange(len(self.counts)) % 2 == 1, self.counts)
        mask = np.zeros(h * w, np.bool_)
        mask[: len(values)] = values
        return box, mask.reshape(w, h).T if self.by_columns else mask.reshape(h, w)


@dataclass(frozen=True, eq=False, slots=True)
class StartedRuns:
    """Runs as contests write them, `start length start length …` with pixels numbered from 1; see `decode_runs`."""

    text: str
    by_columns: bool = True

    def area(self) -> float:
        """The number of pixels, as far as the text is sound."""
        return float(sum(int(word) for word in self.text.split()[1::2] if word.isdigit() and len(word) < 19))

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels of the runs."""
        if not self.by_columns:
            return placed(size, None, size), decode_runs(self.text, size[::-1], "its runs").T
        return placed(size, None, size), decode_runs(self.text, size, "its runs")


def placed(box: Size, corner: tuple[int, int] | None, size: Size) -> tuple[slice, slice]:
    """The box of the picture in which a mask h w stands.

    Raises:
        ReadError: the mask is not of the picture's size, or does not lie inside of it.
    """
    top, left = corner or (0, 0)
    if corner is None and box != size:
        raise ReadError(
            f"its mask is {box[0]}×{box[1]}, the image {size[0]}×{size[1]} (height × width). "
            "Is it of another image, or was the image resized afterwards?"
        )
    if min(top, left) < 0 or top + box[0] > size[0] or left + box[1] > size[1]:
        raise ReadError(
            f"its mask of {box[0]}×{box[1]} at row {top}, column {left} does not lie inside of the image, "
            f"{size[0]}×{size[1]} (height × width). Is it of another image, or was the image resized afterwards?"
        )
    return slice(top, top + box[0]), slice(left, left + box[1])


def _segments(strip: Points) -> list[tuple[Points, Points]]:
    return list(pairwise(strip)) or [(strip[0], strip[0])]


def _union(stamps: list[Stamp]) -> Stamp | None:
    if not stamps:
        return None
    top, left = (min(box[axis].start for box, _ in stamps) for axis in (0, 1))
    bottom, right = (max(box[axis].stop for box, _ in stamps) for axis in (0, 1))
    mask = np.zeros((bottom - top, right - left), np.bool_)
    for (rows, columns), inside in stamps:
        mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= inside
    return (slice(top, bottom), slice(left, right)), mask
