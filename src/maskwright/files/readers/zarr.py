"""Zarr: an array in a folder, a file a chunk; and OME-Zarr, which names its axes and keeps smaller copies beside.

Such a folder counts as one file. A chunk that is not there is one of zeros by the format's rule, so a copy that was cut
short cannot be told from a picture with empty parts.
"""

import math
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from maskwright.errors import ReadError
from maskwright.files.axes import Slices, Volume
from maskwright.files.extras import needed
from maskwright.files.georeference import Georeference, georeferenced
from maskwright.files.readers import readers
from maskwright.files.stored import Array, Stored
from maskwright.files.zarrchunks import check_chunks

_MARKS: Final = ("zarr.json", ".zarray", ".zgroup")
_FIRST_AXES: Final = ["t", "c", "z", "y", "x"]  # of OME-Zarr before it named them
_LETTERS: Final = {
    "y": "H", "height": "H", "row": "H", "rows": "H", "lat": "H", "latitude": "H",
    "x": "W", "width": "W", "column": "W", "columns": "W", "lon": "W", "longitude": "W",
    "c": "C", "channel": "C", "channels": "C", "band": "C", "bands": "C",
    "z": "Z", "slice": "Z", "depth": "Z", "t": "T", "time": "T",
}  # fmt: skip
MOST_CHUNK_BYTES: Final = 2**29
_quiet: Final = threading.Lock()  # which warnings are shown is one state for all threads

_Dicts = Sequence[dict[str, Any]]


@readers.register("zarr")
class Zarr:
    """The full picture of an OME-Zarr pyramid, or the only array of a Zarr folder; further axes are pages."""

    suffixes: ClassVar[tuple[str, ...]] = (".zarr", ".ome.zarr")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """No file is Zarr: it is a folder."""
        return False

    @staticmethod
    def recognises_folder(folder: Path) -> bool:
        """Whether this folder is a Zarr array or group, of version 2 or 3."""
        return any((folder / mark).is_file() for mark in _MARKS)

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only picture of the array."""
        return _volume(Path(file.name)).open()

    @staticmethod
    def pages(file: BinaryIO, axes: str | None = None) -> int:
        """How many pictures the array holds."""
        return _volume(Path(file.name)).pages(axes)

    @staticmethod
    def open_page(file: BinaryIO, page: int | None, axes: str | None = None) -> Stored:
        """One of them."""
        return _volume(Path(file.name)).open(page, axes)


def _volume(folder: Path) -> Volume:
    zarr = needed("zarr", "zarr", "a Zarr folder")
    with _quiet, warnings.catch_warnings():
        # It warns of files beside the arrays, which do no harm; what is missing is an error a moment later.
        warnings.simplefilter("ignore")
        return _of_node(zarr, folder)


def _of_node(zarr: Any, folder: Path) -> Volume:
    node = zarr.open(str(folder), mode="r")
    if isinstance(node, zarr.Array):
        return _of(node, _dimension_names(node), "its dimensions are named")
    attributes = node.attrs.asdict()
    pyramids = attributes.get("ome", attributes).get("multiscales")
    if not pyramids:
        return _alone(node, folder)
    pyramid = pyramids[0]
    level = pyramid["datasets"][0]
    array = node[level["path"]]
    named = pyramid.get("axes", _FIRST_AXES)
    named = [axis if isinstance(axis, dict) else {"name": axis} for axis in named]
    moves = [*level.get("coordinateTransformations", []), *pyramid.get("coordinateTransformations", [])]
    return _of(array, [str(axis["name"]) for axis in named], "OME-Zarr names its axes", moves, named)


def _alone(group: Any, folder: Path) -> Volume:
    """The only array of a group that is no picture of OME's."""
    names = sorted(group.keys())
    if len(names) == 1 and list(group.array_keys()) == names:
        array = group[names[0]]
        return _of(array, _dimension_names(array), "its dimensions are named")
    raise ReadError(
        f"is a Zarr group of {', '.join(names) or 'nothing'}, not one picture. "
        f"Name the one that is meant: {folder / (names[0] if names else 'NAME')}."
    )


def _of(array: Any, names: list[str] | None, reason: str, moves: _Dicts = (), axes: _Dicts = ()) -> Volume:
    if math.prod(array.chunks) * array.dtype.itemsize > MOST_CHUNK_BYTES:
        raise ReadError(
            f"says that a chunk of it has {'×'.join(map(str, array.chunks))} numbers of {array.dtype.name}: too many "
            f"to be read at once (at most {MOST_CHUNK_BYTES:,} bytes). Write it again in smaller chunks."
        )
    letters = _letters(names, array.ndim)

    def take(part: Slices) -> Array:
        check_chunks(array, part)
        values: Array = array[part]
        return values

    place = (lambda letters, places: _place(moves, axes, letters)) if moves else None
    return Volume(array.shape, array.dtype, take, letters, reason, georeference=place)


def _dimension_names(array: Any) -> list[str] | None:
    """What the array calls its dimensions: a part of version 3, xarray's custom before."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return [str(name) for name in names] if names and all(names) else None


def _letters(names: list[str] | None, count: int) -> str | None:
    """The names as letters, or None where they are none that we know."""
    letters = [_LETTERS.get(name.lower(), "") for name in names or []]
    if len(letters) != count or not all(letters) or len(set(letters)) < count or not {"H", "W"} <= set(letters):
        return None
    return "".join(letters)


def _place(moves: _Dicts, axes: _Dicts, letters: str) -> Georeference | None:
    """Where the pixels lie that are scaled and moved so, one after the other; OME means the middle of a pixel."""
    spots = []
    down, right = letters.index("H"), letters.index("W")
    for axis in (right, down):
        step, start = 1.0, 0.0
        for move in moves:
            if move.get("type") == "scale":
                step, start = step * move["scale"][axis], start * move["scale"][axis]
            elif move.get("type") == "translation":
                start += move["translation"][axis]
        spots.append((step, start - step / 2))
    (across, left), (along, top) = spots
    unit = str(axes[right].get("unit", "")) if axes else ""
    return georeferenced((across, 0.0, left, 0.0, along, top), "", unit)
