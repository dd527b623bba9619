"""Pictures of a result, as rasters: the mask in the user's own values, the classes' colours. H W the image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.data.display import colour_table
from maskwright.data.labels import Labels
from maskwright.errors import SettingError
from maskwright.files import LARGEST_PNG, MaskStyle, Origin, Plane, Raster, write_png, write_tiff, write_zarr
from maskwright.inference.result import Result
from maskwright.records import IGNORED

Format = Literal["auto", "png", "tiff", "zarr"]
SUFFIXES: Final = {"png": ".png", "tiff": ".tif", "zarr": ".ome.zarr"}


def suffix_for(choice: Format, origin: Origin) -> str:
    """What the file of a picture ends in: the format that is chosen, or what suits the image it is of."""
    return SUFFIXES[origin.format if choice == "auto" else choice]


def write_picture(path: Path, raster: Raster, result: Result) -> Path:
    """Write a raster in the format that the path ends in, atomically. Returns the path.

    Raises:
        SettingError: it is too large for a PNG, or the package for Zarr is missing.
    """
    if path.name.endswith(SUFFIXES["zarr"]):
        return write_zarr(path, raster, result.origin, scratch=result.scratch)
    if path.suffix == SUFFIXES["tiff"]:
        return write_tiff(path, raster, result.origin, scratch=result.scratch)
    if raster.height * raster.width > LARGEST_PNG:
        raise SettingError(
            f"{result.name} has {raster.height}×{raster.width} pixels; most tools open no PNG of more than "
            f"{LARGEST_PNG:,}. Leave the format to us, or ask for tiff."
        )
    return write_png(path, raster)


def mask_of(result: Result) -> Raster:
    """The labels in the values, mode and palette of the user's own masks."""
    classes, labels = result.classes, result.labels
    table, style, ignored = written_values(classes)
    height, width = labels.shape
    colours = {int(table[label]): one.colour for label, one in enumerate(classes.classes)}
    if style.mode == "colour":
        shifts = np.array([16, 8, 0], np.uint32)
        rgb = (table[:, None] >> shifts & 255).astype(np.uint8)
        return Raster(height, width, "uint8", (_looked_up(labels, rgb),), channels=3)
    palette = None if style.palette is None else np.array(style.palette, np.uint8)
    return Raster(
        height, width, style.dtype, (_looked_up(labels, table.astype(style.dtype)),), nodata=ignored, palette=palette,
        colours=colours,
    )  # fmt: skip


def coloured(result: Result) -> Raster:
    """The labels in the classes' colours, H W 3; what counts nowhere is white."""
    height, width = result.labels.shape
    return Raster(height, width, "uint8", (_looked_up(result.labels, colour_table(result.classes)),), channels=3)


def written_values(classes: Labels) -> tuple[NDArray[np.uint32], MaskStyle, int]:
    """The value that each of 256 labels is written as, the style that holds them, and the value of pixels that count
    nowhere: the data set's own, else 255 where no class has it, else the highest that none has.
    """
    style, own = classes.style, [one.values[0] for one in classes.classes]
    top = 0xFFFFFF if style.mode == "colour" else np.iinfo(style.dtype).max
    taken = {value for one in classes.classes for value in one.values}
    # White in a mask of colours, as `colour_table` has it.
    usual = 0xFFFFFF if style.mode == "colour" else IGNORED
    candidates = [*classes.ignored, usual, *range(top, max(0, top - 300), -1)]
    ignored = next(value for value in candidates if 0 <= value <= top and value not in taken)
    if style.palette is not None and ignored >= len(style.palette):
        filling = [(0, 0, 0)] * (ignored - len(style.palette))
        style = style.model_copy(update={"palette": (*style.palette, *filling, (255, 255, 255))})
    table = np.full(256, ignored, np.uint32)
    table[: len(own)] = own
    return table, style, ignored


def _looked_up(labels: Plane, table: NDArray[Any]) -> Callable[[slice, slice], NDArray[Any]]:
    """Windows of a plane of labels, as a table has them."""
    return lambda rows, columns: table[labels.read(rows, columns)]
