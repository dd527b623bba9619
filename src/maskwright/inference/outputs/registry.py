"""The open list of outputs."""

from pathlib import Path
from typing import ClassVar, Final, Protocol

from maskwright.inference.result import Result
from maskwright.registry import Registry


class Output(Protocol):
    """A kind of file written of one image's result."""

    about: ClassVar[str]
    """One line for `--help` and the docs: what it is, and which tool opens it."""
    suffix: ClassVar[str]
    """What follows the image's stem, e.g. `.geojson` or `.overlay.png`."""
    needs: ClassVar[frozenset[str]]
    """Of `probabilities` and `objects`, those that it is written from."""

    def write(self, result: Result, target: Path) -> Path:
        """Write the file, atomically; `target` is OUT/STEM without a suffix. Returns its path."""


outputs: Final = Registry[type[Output]]("output", "maskwright.inference.outputs")
"""By the name that is asked for, e.g. `geojson`."""
