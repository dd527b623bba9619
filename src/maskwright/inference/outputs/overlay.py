"""The image with the mask laid over it, for the eye."""

from pathlib import Path
from typing import ClassVar

from maskwright.data.display import Overlay as Drawn
from maskwright.files import Origin, Raster
from maskwright.inference.outputs.registry import beside, outputs
from maskwright.inference.pictures import Format, suffix_for, write_picture
from maskwright.inference.result import Result
from maskwright.records import Record


@outputs.register("overlay")
class Overlay(Record):
    """The image with classes half-transparent over it and their outlines solid; background and ignored stay clear."""

    about: ClassVar[str] = "STEM.overlay.png or .tif: the image with the mask over it, RGB; any viewer"
    needs: ClassVar[frozenset[str]] = frozenset()

    format: Format = "auto"

    def path(self, origin: Origin, target: Path) -> Path:
        """STEM.overlay and what the mask ends in."""
        return beside(target, f".overlay{suffix_for(self.format, origin)}")

    def write(self, result: Result, target: Path) -> Path:
        """Write the picture."""
        drawn = Drawn(result.scene, result.labels, result.classes)
        height, width = result.labels.shape
        raster = Raster(height, width, "uint8", (drawn.read,), channels=3, named=False)
        return write_picture(self.path(result.origin, target), raster, result)
