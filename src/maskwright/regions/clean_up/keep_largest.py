"""Of each class, the largest pieces stay."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from maskwright.regions.clean_up.pieces import dissolve, pieces_of
from maskwright.regions.clean_up.registry import Step, Task, steps


@steps.register("keep_largest")
class KeepLargest(Step):
    """Of each class the largest pieces stay, of equal ones the first in reading order; the others take the label around
    them, as specks do.
    """

    about: ClassVar[str] = "of each class only the count largest pieces stay"
    count: int = Field(1, ge=1)

    def __call__(self, task: Task) -> None:
        """Mend the labels in place."""
        pieces = pieces_of(task, task.classes)
        goes = np.ones(len(pieces.areas), bool)
        for label in task.classes:
            own = np.flatnonzero(pieces.labels == label)
            goes[own[np.argsort(-pieces.areas[own], kind="stable")][: self.count]] = False
        dissolve(task, pieces, goes)
