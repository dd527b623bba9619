"""Rasters become OME-Zarr 0.4 (in Zarr 2) or 0.5 (in Zarr 3), a folder of chunks with smaller copies beside."""

import contextlib
import secrets
import shutil
import warnings
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from maskwright.errors import ReadError, SettingError
from maskwright.files.extras import needed
from maskwright.files.georeference import Georeference
from maskwright.files.origins import Origin
from maskwright.files.rasters import Raster, Scratch, in_memory, smaller

CHUNK: Final = 512


def write_zarr(path: Path, raster: Raster, origin: Origin, *, scratch: Scratch = in_memory) -> Path:
    """Write a raster as OME-Zarr, atomically: with scale and translation of its origin, and smaller copies down to 512
    pixels. Returns the path.

    Raises:
        SettingError: the package is missing.
    """
    try:
        zarr = needed("zarr", "zarr", "a Zarr folder")
    except ReadError as error:
        raise SettingError(f"{path} {error}") from error
    with _replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what is not yet settled in its own format
        group = zarr.open_group(str(temporary), mode="w", zarr_format=origin.zarr_format)
        levels = 0
        for copy in chain([raster], smaller(raster, scratch)):
            _write(group, str(levels), copy, origin)
            levels += 1
        metadata = _metadata(raster, origin, levels, path.name.split(".")[0])
        if origin.zarr_format == 3:
            group.attrs["ome"] = {"version": "0.5", **metadata}
        else:
            metadata["multiscales"][0]["version"] = "0.4"
            for name, value in metadata.items():
                group.attrs[name] = value
    return path


def _write(group: Any, name: str, raster: Raster, origin: Origin) -> None:
    """One array: y x, or c y x where there are bands or colours."""
    count = raster.channels * len(raster.parts)
    front, axes = ((), ["y", "x"]) if count == 1 else ((count,), ["c", "y", "x"])
    options: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    if origin.zarr_format == 3:
        options = {"dimension_names": axes}
    array = group.create_array(
        name, shape=(*front, raster.height, raster.width), chunks=(*(1 for _ in front), CHUNK, CHUNK),
        dtype=raster.dtype, fill_value=0, **options,
    )  # fmt: skip
    for number, part in enumerate(raster.parts):
        for top in range(0, raster.height, CHUNK):
            rows, left = slice(top, min(raster.height, top + CHUNK)), 0
            for values in raster.windows(part, rows, CHUNK):
                columns = slice(left, left + values.shape[1])
                left = columns.stop
                if raster.channels > 1:
                    array[:, rows, columns] = np.moveaxis(values, 2, 0)
                elif front:
                    array[number, rows, columns] = values
                else:
                    array[rows, columns] = values


def _metadata(raster: Raster, origin: Origin, levels: int, name: str) -> dict[str, Any]:
    front = raster.channels * len(raster.parts) > 1
    (across, left), (down, top), unit = _steps(origin.georeference)
    axes: list[dict[str, str]] = [{"name": letter, "type": "space", **unit} for letter in "yx"]
    datasets = []
    for level in range(levels):
        step = 2**level
        scale, start = [down * step, across * step], [top + down * step / 2, left + across * step / 2]
        datasets.append({
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [*([1.0] if front else []), *scale]},
                # OME means the middle of a pixel, and a smaller copy has larger ones.
                {"type": "translation", "translation": [*([0.0] if front else []), *start]},
            ],
        })  # fmt: skip
    if front:
        axes = [{"name": "c", "type": "channel"}, *axes]
    found: dict[str, Any] = {"multiscales": [{"name": name, "axes": axes, "datasets": datasets}]}
    if raster.colours:
        colours = [{"label-value": value, "rgba": [*colour, 255]} for value, colour in raster.colours.items()]
        found["image-label"] = {"colors": colours}
    if raster.bands:
        top_value = 255 if raster.dtype == "uint8" else 1
        window = {"min": 0, "max": top_value, "start": 0, "end": top_value}
        found["omero"] = {
            "channels": [{"label": band, "active": True, "color": "FFFFFF", "window": window} for band in raster.bands]
        }
    return found


def _steps(place: Georeference | None) -> tuple[tuple[float, float], tuple[float, float], dict[str, str]]:
    """Size and start of pixels across and down, and their unit; those of pixels where there is no place, or a turned
    one, which OME-Zarr cannot say.
    """
    if place is None or place.affine[1] or place.affine[3]:
        return (1.0, 0.0), (1.0, 0.0), {}
    a, _, c, _, e, f = place.affine
    return (a, c), (e, f), {"unit": place.unit} if place.unit else {}


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """As `records.replacing`, of a folder: what stands at the path is gone only when the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        if path.exists():
            old = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except BaseException:  # Ctrl-C too leaves nothing half-written; it is raised again
        shutil.rmtree(temporary, ignore_errors=True)
        raise
