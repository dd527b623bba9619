"""The instance map: each object has its number."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from maskwright.errors import SettingError
from maskwright.files import Origin, Plane, raster_of
from maskwright.files.rasters import Read
from maskwright.inference.outputs.registry import OBJECTS, beside, outputs
from maskwright.inference.pictures import suffix_for, write_picture
from maskwright.inference.result import Result
from maskwright.records import Record

MOST_OF_16_BITS = 2**16 - 1


@outputs.register("objects")
class ObjectMap(Record):
    """The instance map: 0 where there is no object, else its number, in uint16 or, of more than 65,535, in int32."""

    about: ClassVar[str] = "STEM.objects.tif: 0 and the objects' numbers, 16 or 32 bits; ImageJ, napari, CellProfiler"
    needs: ClassVar[frozenset[str]] = frozenset({OBJECTS})

    format: Literal["auto", "png", "tiff", "zarr"] = "auto"

    def path(self, origin: Origin, target: Path) -> Path:
        """STEM.objects.tif, in which any number of objects has room; Zarr of Zarr."""
        choice: Literal["png", "tiff", "zarr"] = "tiff"
        if self.format != "auto":
            choice = self.format
        elif origin.format == "zarr":
            choice = "zarr"
        return beside(target, f".objects{suffix_for(choice, origin)}")

    def write(self, result: Result, target: Path) -> Path:
        """Write the map.

        Raises:
            SettingError: a PNG is asked for, and there are more objects than 16 bits can number.
        """
        assert result.objects is not None, "they are needed"
        path, count = self.path(result.origin, target), len(result.objects.areas)
        raster = raster_of(result.objects.ids)
        if count <= MOST_OF_16_BITS:
            raster = replace(raster, dtype="uint16", parts=(_in_16_bits(result.objects.ids),))
        elif path.suffix == ".png":
            raise SettingError(
                f"{result.name} has {count:,} objects; a PNG numbers at most {MOST_OF_16_BITS:,}. Ask for objects=tiff."
            )
        return write_picture(path, raster, result)


def _in_16_bits(ids: Plane) -> Read:
    return lambda rows, columns: ids.read(rows, columns).astype(np.uint16)
