"""The open list of outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Protocol, runtime_checkable

from maskwright.files import Origin
from maskwright.inference.result import Result
from maskwright.registry import Registry

PROBABILITIES, OBJECTS, THINGS = "probabilities", "objects", "things"
"""What a result may hold besides labels; things are objects where these come apart, and pieces of classes elsewhere."""


class Output(Protocol):
    """A kind of file that is written of one image's result: a record, whose fields are what one can choose."""

    about: ClassVar[str]
    """One line for `--help` and the docs: what it is, and which tool opens it."""

    @property
    def needs(self) -> frozenset[str]:
        """Of `probabilities`, `objects` and `things`, those that it is written from."""

    def path(self, origin: Origin, target: Path) -> Path:
        """The file that `write` will write for such an image; `target` is OUT/STEM without a suffix."""

    def write(self, result: Result, target: Path) -> Path:
        """Write that file, atomically. Returns its path.

        Raises:
            SettingError: such a file cannot hold this result; says what would.
        """


@runtime_checkable
class Gathered(Output, Protocol):
    """An output that is one file for all images; what `write` writes of each is put together when all are done."""

    file: ClassVar[str]
    """What it is called in OUT."""

    def finish(self, parts: Sequence[Path], file: Path) -> Path:
        """Write the one file of what `write` gave of each image, in this order, atomically. The parts stay.

        Returns its path.
        """


outputs: Final = Registry[type[Output]]("output", "maskwright.inference.outputs")
"""By the name that is asked for, e.g. `geojson`."""


def beside(target: Path, suffix: str) -> Path:
    """The target with a suffix; a stem may itself have dots."""
    return target.with_name(target.name + suffix)


def part_of(target: Path, suffix: str) -> Path:
    """Where the part of an image waits until all are gathered: in a hidden folder, to be removed then."""
    return target.parent / PARTS / (target.name + suffix)


PARTS: Final = ".parts"
