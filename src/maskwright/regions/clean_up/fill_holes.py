"""Holes are filled."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from maskwright.errors import SettingError
from maskwright.regions.clean_up.pieces import around, most_around, pieces_of, relabel
from maskwright.regions.clean_up.registry import Step, Task, steps


@steps.register("fill_holes")
class FillHoles(Step):
    """A piece of background that chosen classes enclose takes the label that most of its outline meets.

    One that reaches the picture's edge, an ignored pixel or a class that is not chosen is no hole: what it is part of
    is not known, or not to be touched. So with one class chosen a hole lies wholly inside it. Pixels of background that
    share only a corner are apart, as `scipy.ndimage.binary_fill_holes` has it.
    """

    about: ClassVar[str] = "background that a class encloses becomes that class; all, or those smaller_than pixels"
    smaller_than: int | None = Field(None, ge=1)
    """Holes of fewer pixels; None: all."""

    def demand_fit(self, background: int | None) -> None:
        """Nothing, if there is a background."""
        if background is None:
            raise SettingError(
                "fill_holes fills holes in the background, and none of the classes is one. Name a class `background`, "
                "or take drop_specks, which gives small pieces of any class to what is around them."
            )

    def __call__(self, task: Task) -> None:
        """Mend the labels in place.

        Raises:
            SettingError: the classes have no background.
        """
        self.demand_fit(task.background)
        assert task.background is not None, "it fits"
        pieces = pieces_of(task, (task.background,))
        height, width = task.labels.shape
        top, left, bottom, right = pieces.boxes.T
        hole: NDArray[np.bool_] = (top > 0) & (left > 0) & (bottom < height) & (right < width)
        if self.smaller_than is not None:
            hole &= pieces.areas < self.smaller_than
        sides = around(task, pieces, hole)
        hole[sides.pieces[~np.isin(sides.labels, task.classes)]] = False
        relabel(task, pieces, np.where(hole, most_around(sides, len(hole), task.background), -1))
