"""The open list of clean-up steps, and what each of them is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from maskwright.files import Plane
from maskwright.records import Record
from maskwright.regions.scratch import Scratch, in_memory
from maskwright.registry import Registry


@dataclass(frozen=True, eq=False)
class Task:
    """What a step works on."""

    labels: Plane
    """H W uint8; the step writes its result here."""
    classes: tuple[int, ...]
    """The labels it is for. A pixel of any other label, but the background's, keeps it."""
    background: int | None = None
    """The label of what is no object; None: every class is shown for its own sake."""
    scratch: Scratch = in_memory
    band: int | None = None
    """Rows that are worked on at once; None: as memory has it. The result is that of the whole picture anyway."""


class Step(Record, ABC):
    """A step whose fields are its options; it works by bands, and what it makes is what it would make of the whole
    picture at once. Ignored pixels stay so, and count nowhere.
    """

    about: ClassVar[str]
    """One line for `--help` and the docs."""

    def demand_fit(self, background: int | None) -> None:
        """Nothing, if the step can work with such a background, a label or None.

        Raises:
            SettingError: it cannot.
        """

    @abstractmethod
    def __call__(self, task: Task) -> None:
        """Mend the labels in place."""


steps: Final = Registry[type[Step]]("cleaning step", "maskwright.regions.clean_up")
"""By the name that is asked for, e.g. `drop_specks`."""
