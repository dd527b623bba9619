"""The mask: what was predicted, as the user's own masks are."""

from pathlib import Path
from typing import ClassVar

from maskwright.files import Origin
from maskwright.inference.outputs.registry import beside, outputs
from maskwright.inference.pictures import Format, mask_of, suffix_for, write_picture
from maskwright.inference.result import Result
from maskwright.records import Record


@outputs.register("mask")
class Mask(Record):
    """The label mask in the values, mode and palette of the training masks.

    Pixels without data are written as the value that the data set ignores, else as 255, or the highest value that no
    class has; TIFF names it as its value for "no data".
    """

    about: ClassVar[str] = "STEM.png, .tif or .ome.zarr: labels in your masks' own values, mode and palette; any tool"
    needs: ClassVar[frozenset[str]] = frozenset()

    format: Format = "auto"

    def path(self, origin: Origin, target: Path) -> Path:
        """STEM.png; STEM.tif where a place, a pyramid or a value for "no data" is to be kept; Zarr of Zarr."""
        return beside(target, suffix_for(self.format, origin))

    def write(self, result: Result, target: Path) -> Path:
        """Write the mask."""
        return write_picture(self.path(result.origin, target), mask_of(result), result)
