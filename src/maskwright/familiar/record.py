"""What the training images looked like: a record that travels in the model file."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from maskwright.data.randomness import draw
from maskwright.familiar.measuring import Floats
from maskwright.records import Record

DIMENSIONS = 128
"""Numbers that are kept of an image's features; of more, so many random sums, which keep distances (Johnson and
Lindenstrauss 1984)."""
LEAST = 0.1
"""The smallest limit, in spreads: images that are all alike allow for a little more."""
DIGITS = 3


class Neighbours(Record):
    """Images as points, and how far from the nearest of them an image may lie (Sun et al. 2022, arXiv 2204.06507)."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    """Of each number over the images: points are in units of it, from the mean."""
    points: tuple[tuple[float, ...], ...]
    limit: float
    """The distance above which an image is strange."""
    false_alarms: float
    """At most that share of images like those of the training lies above it."""

    @classmethod
    def of(cls, points_ND: Floats, others: Sequence[tuple[Floats, int | None]], floor: float) -> Self:
        """The neighbours N points, and the limit from their distances to one another and from those of other points.

        others: points that are held out (None), or show the i-th image in another light (i).
        floor: added to each number's spread, so that of what hardly varies small changes are no sign.

        With n distances in all, an image like the others lies beyond the largest once in n + 1 times, whatever their
        distribution (conformal prediction; Bates et al. 2023, arXiv 2104.08279). Of few images the largest is no sure
        number, so the limit is 1 + 2 / √n times as large.
        """
        mean, spread = _short(points_ND.mean(axis=0)), _short(points_ND.std(axis=0) + floor)
        rounded = cls(mean=mean, spread=spread, points=(), limit=0, false_alarms=1)
        known = np.round(rounded._placed(points_ND), DIGITS)
        every = [*((point, i) for i, point in enumerate(points_ND)), *others]
        # An image's distance is to the others, or it would be no distance at all.
        away = [
            _nearest(rounded._placed(point[None])[0], known if i is None else np.delete(known, i, axis=0))
            for point, i in every
        ]
        n = len(away)
        return rounded.model_copy(
            update={
                "points": tuple(tuple(point) for point in known.tolist()),
                "limit": round(max(LEAST, max(away) * (1 + 2 * n**-0.5)), 2 * DIGITS),
                "false_alarms": round(1 / (n + 1), DIGITS + 1),
            }
        )

    def strangeness(self, numbers_D: Floats) -> float:
        """How far an image lies from the nearest that is known, in units of the limit: above 1 it is strange."""
        return _nearest(self._placed(numbers_D[None])[0], np.array(self.points)) / self.limit

    def range_of(self, i: int) -> tuple[float, float]:
        """The lowest and highest that the i-th number was, where no more than `DIMENSIONS` are known."""
        column = np.array([point[i] for point in self.points]) * self.spread[i] + self.mean[i]
        return float(column.min()), float(column.max())

    def oddest(self, numbers_D: Floats) -> int:
        """The number that is farthest outside of what it was."""
        placed_D, known = self._placed(numbers_D[None])[0], np.array(self.points)
        outside = np.maximum(known.min(axis=0) - placed_D, placed_D - known.max(axis=0))
        return int(outside.argmax())

    def _placed(self, numbers_ND: Floats) -> Floats:
        placed = (numbers_ND - np.array(self.mean)) / np.array(self.spread)
        wide = placed.shape[1]
        return placed if wide <= DIMENSIONS else placed @ _sums(wide)


class Familiar(Record):
    """What the training images looked like. Distances are of single images, each from a few windows."""

    images: int
    """Training images that were looked at …"""
    held_out: int
    """… and images that were not trained on."""
    channels: tuple[int, ...]
    """Numbers of channels that image files had."""
    dtype: str
    smallest: tuple[int, int]
    largest: tuple[int, int]
    """Lowest and highest height, and width, of an image."""
    mean: tuple[tuple[float, float], ...]
    std: tuple[tuple[float, float], ...]
    """Lowest and highest of any image, a pair a channel, in stored values."""
    clipped: float
    """Highest share of an image's values that are the lowest or the highest of their type."""
    values: Neighbours
    octaves: Neighbours
    content: Neighbours

    @property
    def false_alarms(self) -> float:
        """At most that share of images like those of the training is taken for strange, on average over trainings."""
        return self.values.false_alarms + self.octaves.false_alarms + self.content.false_alarms


def _nearest(point_D: Floats, known_ND: Floats) -> float:
    return float(np.sqrt(((known_ND - point_D) ** 2).mean(axis=1).min()))


def _sums(wide: int) -> NDArray[np.float64]:
    """What gives so many random sums, always the same for a width; their mean square is that of the numbers."""
    return draw(0, "familiar", wide).choice([-1.0, 1.0], (wide, DIMENSIONS)) / wide**0.5


def _short(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in values)
