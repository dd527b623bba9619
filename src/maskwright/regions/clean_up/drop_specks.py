"""Small pieces go."""

from typing import ClassVar

from pydantic import Field

from maskwright.regions.clean_up.pieces import dissolve, pieces_of
from maskwright.regions.clean_up.registry import Step, Task, steps


@steps.register("drop_specks")
class DropSpecks(Step):
    """Pieces of fewer pixels take the label around them: that which most of their outline meets, other specks left
    out; where nothing is around, background.
    """

    about: ClassVar[str] = "pieces of fewer than smaller_than pixels take the label around them"
    smaller_than: int = Field(16, ge=1)

    def __call__(self, task: Task) -> None:
        """Mend the labels in place."""
        pieces = pieces_of(task, task.classes)
        dissolve(task, pieces, pieces.areas < self.smaller_than)
