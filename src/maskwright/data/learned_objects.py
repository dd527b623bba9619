"""Objects that touch, learned: one class more, of the borders between objects or of their centres.

Foreground and background say nothing of two nuclei that touch: they are one piece. A network that also says where two
objects meet, or where the middle of each is, tells them apart, as did the winners of the 2018 Data Science Bowl
(Caicedo et al. 2019, Nature Methods 16:1247) and others before (Chen et al. 2016, arXiv 1604.02677). Its class is made
here of the true objects; `regions` takes predictions apart by it. H W the picture.
"""

from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveInt
from scipy import ndimage

from maskwright.records import Record

OFF: Final = "none"
"""What is asked for where objects are not to be taken apart."""
WIDTH: Final = 4
"""Of borders: two pixels of a network whose first layer halves the image; 2 were learned less well (EXPERIMENTS.md)."""


class LearnedObjects(Record):
    """What a network learns of objects, by one class after those of the masks."""

    kind: Literal["border", "centre"]
    width: PositiveInt = WIDTH
    """Border: pixels of an object that are at most so far from another object's, in working pixels."""
    core: float = Field(0.5, gt=0, lt=1)
    """Centre: pixels that are deeper inside their object than this share of its greatest depth."""
    of: tuple[str, ...] = ()
    """The classes whose objects they are, where not all but the background have some, as sky has none; else none."""

    @property
    def name(self) -> str:
        """What the class is called."""
        return f"object {self.kind}"

    def marked(self, objects_HW: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Where the class is, in a map of objects: 0 for none, else the object's number."""
        return borders(objects_HW, self.width) if self.kind == "border" else centres(objects_HW, self.core)


class ObjectSettings(Record):
    """How objects that touch are taken apart in what a network says."""

    how: Literal["border", "centre", "distance"]
    """By borders or centres that the network learns as a class of its own; or by how deep a pixel lies inside the
    foreground alone, with nothing learned."""
    width: PositiveInt = WIDTH
    core: float = Field(0.5, gt=0, lt=1)
    """Of what is learned; see `LearnedObjects`."""
    smallest: int = Field(1, ge=1)
    """Objects of fewer pixels of the image are left out."""

    @property
    def learned(self) -> LearnedObjects | None:
        """What the network learns for it; None: nothing."""
        return None if self.how == "distance" else LearnedObjects(kind=self.how, width=self.width, core=self.core)


def _in_short(value: Any) -> Any:
    """`border` means {how: border}, and `none` nothing."""
    if isinstance(value, str):
        return None if value == OFF else {"how": value}
    return value


ObjectsAsked = Annotated[ObjectSettings | None, BeforeValidator(_in_short)]
"""The settings, or how alone: border, centre, distance or none."""


def borders(objects_HW: NDArray[np.integer], width: float) -> NDArray[np.bool_]:
    """The pixels of objects that are at most `width` from a pixel of another one, from middle to middle."""
    found_HW = np.zeros(objects_HW.shape, bool)
    for down, across in _offsets(width):
        one, other = _shifted(objects_HW, down, across)
        meet = (one != other) & (one > 0) & (other > 0)
        for part in _shifted(found_HW, down, across):
            part |= meet
    return found_HW


def centres(objects_HW: NDArray[np.integer], core: float) -> NDArray[np.bool_]:
    """The pixels of objects whose distance to the nearest pixel that is not of their object is more than `core` of the
    greatest in that object. Each object has at least one. At the picture's edge it is taken to go on.
    """
    found_HW = np.zeros(objects_HW.shape, bool)
    for number, box in enumerate(ndimage.find_objects(objects_HW), start=1):
        if box is None:  # a number that is left out
            continue
        around = tuple(
            slice(max(0, side.start - 1), min(size, side.stop + 1))
            for side, size in zip(box, objects_HW.shape, strict=True)
        )
        inside = objects_HW[around] == number
        if inside.all():  # it fills the picture: every pixel is as deep as any
            found_HW[around] = True
            continue
        depth = ndimage.distance_transform_edt(inside)
        found_HW[around] |= depth > core * depth.max()
    return found_HW


def _offsets(reach: float) -> list[tuple[int, int]]:
    """Half of the steps to pixels at most so far away, rows and columns; the other half are their opposites."""
    most = int(reach)
    steps = [(down, across) for down in range(most + 1) for across in range(-most, most + 1)]
    return [step for step in steps if step > (0, 0) and step[0] ** 2 + step[1] ** 2 <= reach**2]


def _shifted(values_HW: NDArray[Any], down: int, across: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two views of a picture: each pixel of the one stands where the pixel that far from it stands in the other."""
    height, width = values_HW.shape
    rows, columns = (
        max(0, height - down),
        max(0, width - abs(across)),
    )  # none, where the step is longer than the picture
    ahead = values_HW[height - rows :, max(0, across) : max(0, across) + columns]
    behind = values_HW[:rows, max(0, -across) : max(0, -across) + columns]
    return ahead, behind
