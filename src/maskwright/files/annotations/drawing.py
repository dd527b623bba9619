"""From shapes to pictures of classes and of objects. H W the picture."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import ReadError, SettingError, nearest
from maskwright.files.annotations.filling import Size, Stamp
from maskwright.files.annotations.record import Shape
from maskwright.records import IGNORED


def draw(
    shapes: Iterable[Shape], size: Size, values: Mapping[str, int], *, background: int = 0, ignored: int = IGNORED
) -> NDArray[Any]:
    """The picture H W of the values of classes, in the smallest of uint8, uint16 and int32 that holds them.

    Each shape lies over those before it; `AnnotatedImage.shapes` are in the order that the tool draws them, too. A
    pixel belongs to a shape when its centre lies inside. Ignored shapes are drawn with `ignored`, and shapes that
    stand for the background with `background`, unless `values` names them.

    Raises:
        SettingError: a shape's class has no value, or a value does not fit.
        ReadError: a shape is damaged, or cannot be of a picture of this size; names its file and place.
    """
    numbers = [background, ignored, *values.values()]
    if min(numbers) < 0 or max(numbers) > np.iinfo(np.int32).max:
        raise SettingError(f"Values of classes lie between 0 and 2147483647; given: {min(numbers)} to {max(numbers)}.")
    dtype = next(t for t in (np.uint8, np.uint16, np.int32) if max(numbers) <= np.iinfo(t).max)
    picture = np.full(size, background, dtype)
    for shape in shapes:
        value = _value(shape, values, background, ignored)
        if (stamp := stamp_of(shape, size)) is not None:
            box, inside = stamp
            picture[box][inside] = value
    return picture


def draw_objects(shapes: Iterable[Shape], size: Size) -> NDArray[np.int32]:
    """The picture H W of objects: 0 where there is none, else numbers 1 … N in the order of the shapes.

    Shapes of one object are drawn alike. Where objects overlap the smaller is seen, and of two alike the later: a
    large one would swallow it. One that is wholly covered leaves no gap. Ignored shapes, crowds among them, and the
    background are no objects.

    Raises:
        ReadError: as `draw`.
    """
    objects: dict[tuple[str, str | int], list[Shape]] = {}
    for number, shape in enumerate(shapes):
        if not (shape.ignored or shape.crowd or shape.background):
            objects.setdefault((shape.name, number if shape.object is None else shape.object), []).append(shape)
    groups = list(objects.values())
    areas = [sum(shape.geometry.area() for shape in group) for group in groups]
    picture = np.zeros(size, np.int32)
    for number in sorted(range(len(groups)), key=lambda number: -areas[number]):
        for shape in groups[number]:
            if (stamp := stamp_of(shape, size)) is not None:
                box, inside = stamp
                picture[box][inside] = number + 1
    seen = np.zeros(len(groups) + 1, bool)
    seen[picture] = True
    seen[0] = False
    return (np.cumsum(seen) * seen).astype(np.int32)[picture]


def stamp_of(shape: Shape, size: Size) -> Stamp | None:
    """The box and the pixels in it that belong to the shape; None if there is none.

    Raises:
        ReadError: it is damaged, or cannot be of a picture of this size; names its file and place.
    """
    try:
        return shape.geometry.stamp(size)
    except ReadError as error:
        raise ReadError(f"{shape.source}: {error}") from error.__cause__


def _value(shape: Shape, values: Mapping[str, int], background: int, ignored: int) -> int:
    if shape.crowd:
        return ignored
    if shape.ignored or shape.background:
        return values.get(shape.name, ignored if shape.ignored else background)
    if shape.name not in values:
        raise SettingError(f"{shape.source}: the class {shape.name!r} has no value. {nearest(shape.name, values)}")
    return values[shape.name]
