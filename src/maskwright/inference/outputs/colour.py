"""The mask in colours, for the eye."""

from pathlib import Path
from typing import ClassVar

from maskwright.files import Origin
from maskwright.inference.outputs.registry import beside, outputs
from maskwright.inference.pictures import Format, coloured, suffix_for, write_picture
from maskwright.inference.result import Result
from maskwright.records import Record


@outputs.register("colour")
class Colour(Record):
    """The label mask in the classes' colours, as RGB; what counts nowhere is white."""

    about: ClassVar[str] = "STEM.colour.png or .tif: classes in their colours, RGB; any viewer"
    needs: ClassVar[frozenset[str]] = frozenset()

    format: Format = "auto"

    def path(self, origin: Origin, target: Path) -> Path:
        """STEM.colour and what the mask ends in."""
        return beside(target, f".colour{suffix_for(self.format, origin)}")

    def write(self, result: Result, target: Path) -> Path:
        """Write the picture."""
        return write_picture(self.path(result.origin, target), coloured(result), result)
