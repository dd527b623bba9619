"""The probabilities of the classes, a band each."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.files import Origin, Plane, Raster
from maskwright.files.rasters import AT_ONCE, Read
from maskwright.inference.outputs.registry import PROBABILITIES, beside, outputs
from maskwright.inference.pictures import suffix_for, write_picture
from maskwright.inference.result import Result
from maskwright.records import IGNORED, Record, replacing


@outputs.register("probabilities")
class Probabilities(Record):
    """The probability of each class at each pixel, K bands: 0 to 1 in floats, or 0 to 255 in uint8.

    Pixels without data are NaN in floats, which TIFF also names so, and 0 in uint8.
    """

    about: ClassVar[str] = (
        "STEM.probabilities.npy, .tif or .ome.zarr: K H W, 0–1, or 0–255 in uint8; NumPy, QGIS, napari"
    )
    needs: ClassVar[frozenset[str]] = frozenset({PROBABILITIES})

    dtype: Literal["float32", "float16", "uint8"] = "float32"
    format: Literal["auto", "npy", "tiff", "zarr"] = "auto"

    def path(self, origin: Origin, target: Path) -> Path:
        """NumPy's own format where the mask would be a PNG, else TIFF or Zarr."""
        if self.format == "npy" or (self.format == "auto" and origin.format == "png"):
            return beside(target, ".probabilities.npy")
        choice: Literal["auto", "tiff", "zarr"] = self.format
        return beside(target, f".probabilities{suffix_for(choice, origin)}")

    def write(self, result: Result, target: Path) -> Path:
        """Write them."""
        assert result.probabilities is not None, "they are needed"
        path = self.path(result.origin, target)
        height, width = result.labels.shape
        parts = tuple(self._read(plane, result.labels) for plane in result.probabilities)
        raster = Raster(height, width, self.dtype, parts, named=False, bands=tuple(result.classes.names))
        if path.suffix == ".npy":
            return _write_npy(path, raster)
        return write_picture(path, raster if self.dtype == "uint8" else replace(raster, nodata=np.nan), result)

    def _read(self, plane: Plane, labels: Plane) -> Read:
        def read(rows: slice, columns: slice) -> NDArray[Any]:
            values = plane.read(rows, columns)
            missing = labels.read(rows, columns) == IGNORED
            if self.dtype == "uint8":
                return np.where(missing, 0, np.rint(values.clip(0, 1) * 255)).astype(np.uint8)
            return np.where(missing, np.nan, values).astype(self.dtype)

        return read


def _write_npy(path: Path, raster: Raster) -> Path:
    """An array K H W, band after band."""
    about = {
        "descr": np.dtype(raster.dtype).str,
        "fortran_order": False,
        "shape": (len(raster.parts), raster.height, raster.width),
    }
    step = max(1, AT_ONCE // (raster.width * 4))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        for part in raster.parts:
            for top in range(0, raster.height, step):
                rows = slice(top, min(raster.height, top + step))
                file.write(np.ascontiguousarray(part(rows, slice(0, raster.width))).tobytes())
    return path
