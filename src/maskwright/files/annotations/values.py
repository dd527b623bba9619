"""Numbers and names out of annotation files, each checked where it stands. N points."""

import math
from types import TracebackType
from typing import Any, Final

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.annotations.filling import Points, Size

FARTHEST: Final = 1e9
"""Pixels from the corner; what lies beyond is no coordinate, and its square would not be exact."""

_FAULTS: Final = (TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError)


class Entry:
    """A block that reads one entry of a file: what is not as it should be comes out with the entry's name."""

    __slots__ = ("source",)

    def __init__(self, source: str):
        self.source = source

    def __enter__(self) -> str:
        return self.source

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, KeyError):
            raise ReadError(f"{self.source}: {error.args[0]!r} is missing. Export the file again.") from error
        if isinstance(error, _FAULTS):
            raise ReadError(f"{self.source}: not as it should be ({error}). Export the file again.") from error


def points_of(values: Any, source: str, least: int = 1) -> Points:
    """Points (N, 2) from a flat list `x y x y …` or a list of pairs; what pairs hold beyond x and y is passed over.

    Raises:
        ReadError: there are fewer than `least`, or a coordinate is missing, no number, or absurd.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim == 1:
            numbers = numbers.reshape(-1, 2)
        elif numbers.shape[1] > 2:
            numbers = np.ascontiguousarray(numbers[:, :2])
        sound = numbers.ndim == 2 and numbers.shape[1] == 2 and bool((np.abs(numbers) <= FARTHEST).all())
    except (TypeError, ValueError, OverflowError, IndexError):
        sound = False
    if not sound:
        raise ReadError(f"{source}: its points are no pairs of finite numbers, x and y. Export the file again.")
    if len(numbers) < least:
        raise ReadError(f"{source}: {len(numbers)} points where at least {least} were expected. Draw it again.")
    return numbers


def number_of(value: Any, what: str, source: str) -> float:
    """A finite number, also if it is written as text.

    Raises:
        ReadError: it is none, or absurd; `what` names it.
    """
    try:
        number = math.nan if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= FARTHEST:
        raise ReadError(f"{source}: {what} is {_short(value)}, not a number that can be true.")
    return number


def whole_of(value: Any, what: str, source: str) -> int:
    """A whole number, also if it is written as text or as 480.0.

    Raises:
        ReadError: it is none, or absurd; `what` names it.
    """
    number = number_of(value, what, source)
    if number != int(number):
        raise ReadError(f"{source}: {what} is {_short(value)}, not a whole number.")
    return int(number)


def size_of(height: Any, width: Any, source: str) -> Size | None:
    """Height and width of an image; None if neither is stated.

    Raises:
        ReadError: one of them is no whole number above 0.
    """
    if height is None and width is None:
        return None
    size = whole_of(height, "the height", source), whole_of(width, "the width", source)
    if min(size) < 1:
        raise ReadError(f"{source}: an image of {size[0]}×{size[1]} pixels (height × width). Export the file again.")
    return size


def text_of(value: Any, what: str, source: str) -> str:
    """A name: text that is not empty, or a number as text.

    Raises:
        ReadError: it is none; `what` names it.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}" if isinstance(value, float) else str(value)
    if not isinstance(value, str) or not value.strip():
        raise ReadError(f"{source}: {what} is {_short(value)}; a name was expected.")
    if not value.isascii() and any(0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise ReadError(f"{source}: {what} is {_short(value)}, which holds half a character. Write it anew.")
    return value


def list_of(value: Any, what: str, source: str) -> list[Any]:
    """A list.

    Raises:
        ReadError: it is none; `what` names it.
    """
    if not isinstance(value, list):
        raise ReadError(f"{source}: {what} is {_short(value)}; a list was expected. Export the file again.")
    return value


def mapping_of(value: Any, what: str, source: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ReadError: it is none; `what` names it.
    """
    if not isinstance(value, dict):
        raise ReadError(f"{source}: {what} is {_short(value)}; an object was expected. Export the file again.")
    return value


def rectangle(low: tuple[float, float], high: tuple[float, float]) -> Points:
    """The corners of an upright rectangle between two opposite ones (x, y)."""
    (left, top), (right, bottom) = low, high
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def turned(points_N2: Points, degrees: float, pivot: tuple[float, float]) -> Points:
    """The points turned around another, clockwise as seen: y points down."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    offset = points_N2 - np.array(pivot)
    return offset @ np.array([[cos, sin], [-sin, cos]]) + np.array(pivot)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
