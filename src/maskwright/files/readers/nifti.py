"""NIfTI, as medical images are exchanged: `.nii`, `.nii.gz`, versions 1 and 2, in one file."""

import gzip
import io
import struct
import threading
import zlib
from typing import Any, BinaryIO, ClassVar, Final, cast

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.archives import identity
from maskwright.files.axes import Slices, Volume
from maskwright.files.extras import needed
from maskwright.files.georeference import Georeference, georeferenced
from maskwright.files.limits import DEFLATE
from maskwright.files.rawarrays import RawArray
from maskwright.files.readers import readers
from maskwright.files.stored import Array, Stored

_GZIP: Final = b"\x1f\x8b\x08"
MOST_UNZIPPED: Final = 2**30
"""Bytes of a volume that is zipped: every slice takes unzipping all before it."""
_COLOURS: Final = {128: 3, 2304: 4}  # codes of types that are colours: RGB and RGBA of 8 bits
KEPT_BYTES: Final = 2**28
"""Volumes that were unzipped for one page wait for the next, up to so many bytes in all."""


@readers.register("nifti")
class Nifti:
    """Volumes whose slices along the last axis are pages: axes `HWZ`, as nibabel gives them.

    Values are scaled as the header says. A fourth axis may be times or channels, so it has to be stated: `HWZT` or
    `HWZC`.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".nii", ".nii.gz")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is NIfTI or the header of its kin, zipped or not."""
        if head.startswith(_GZIP):
            try:
                head = zlib.decompressobj(31).decompress(head, 64)
            except zlib.error:
                return False
        if head[4:12] == b"n+2\0\r\n\x1a\n":
            return True
        if len(head) < 42:
            return False
        starts = (struct.unpack_from(f"{order}i36xh", head) for order in "<>")
        return any(size == 348 and 1 <= axes <= 7 for size, axes in starts)

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only slice of the volume."""
        return _volume(file).open()

    @staticmethod
    def pages(file: BinaryIO, axes: str | None = None) -> int:
        """How many slices there are."""
        return _volume(file).pages(axes)

    @staticmethod
    def open_page(file: BinaryIO, page: int | None, axes: str | None = None) -> Stored:
        """One slice of the volume."""
        return _volume(file).open(page, axes)


def _volume(file: BinaryIO) -> Volume:
    nibabel = needed("nibabel", "nifti", "a NIfTI file")
    zipped = file.read(3) == _GZIP
    file.seek(0)
    start = gzip.GzipFile(fileobj=file).read(544) if zipped else file.read(544)
    header = _header(nibabel, start)
    shape = _shape(header)
    dtype, colours = header.get_data_dtype(), _COLOURS.get(int(header["datatype"]), 0)
    if colours:
        dtype = np.dtype(np.uint8)
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise ReadError(f"holds {dtype}, not plain numbers. Save it as uint8, uint16 or float32.")
    # The bytes of a pixel's colours lie side by side: in Fortran's order, the first axis.
    stored_shape = (colours, *shape) if colours else shape
    raw = RawArray(file, int(header.get_data_offset()), stored_shape, dtype, fortran=True)
    size = file.seek(0, 2)
    if raw.start < 0 or raw.end > (size * DEFLATE if zipped else size):
        raise ReadError("was cut short: numbers are missing at its end. Copy, download or export it again.")
    if zipped and raw.end > MOST_UNZIPPED:
        raise ReadError(
            f"unzips to {raw.end / 2**30:.1f} GiB, for each slice anew. Unzip it (`gunzip`); of a plain .nii the "
            "slices are read from their places."
        )
    if zipped:
        raw = RawArray(_unzipped(file, raw.end), raw.start, raw.shape, dtype, fortran=True)
    slope, inter = header.get_slope_inter()
    scaled = slope is not None and (slope, inter) != (1, 0) and not colours

    def take(part: Slices) -> Array:
        values = raw.take(part)
        if not scaled:
            return values
        floats = values.astype(np.float64)  # the only copy
        floats *= slope
        floats += inter
        return floats

    axes = _axes(shape)
    return Volume(
        stored_shape, np.dtype(np.float64) if scaled else dtype, take,
        axes if axes is None or not colours else f"C{axes}", "the last axis of NIfTI is slices",
        "HWZT for times, HWZC for channels" if len(shape) == 4 else "",
        _placing(header, first=1 if colours else 0),
        # While it is unzipped to be kept, it is there in two parts.
        besides=2 * raw.end if zipped and raw.end <= KEPT_BYTES // 2 else 0,
    )  # fmt: skip


def _header(nibabel: Any, start: bytes) -> Any:
    second = start[4:7] == b"n+2"
    kind = nibabel.Nifti2Header if second else nibabel.Nifti1Header
    # Unchecked, and without the extensions behind it: nibabel prints what it thinks of them; what matters is checked
    # here.
    header = kind(start[: 540 if second else 348], check=False)
    if bytes(header["magic"])[:3] not in (b"n+1", b"n+2"):
        raise ReadError("is a header whose numbers are in another file (.hdr and .img). Save both as one .nii.")
    return header


def _shape(header: Any) -> tuple[int, ...]:
    """The lengths of all axes, without those of length one at the end."""
    count = int(header["dim"][0])
    if not 1 <= count <= 7 or (header["dim"][1 : count + 1] < 0).any():
        raise ReadError(f"says that it has {count} axes of {header['dim'][1:].tolist()}. It is damaged: copy it again.")
    shape = [int(size) for size in header["dim"][1 : count + 1]]
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def _axes(shape: tuple[int, ...]) -> str | None:
    if len(shape) <= 3:
        return "HWZ"[: max(2, len(shape))]
    # By the standard, the fifth axis is the numbers of one place and time.
    return "HWZTC" if len(shape) == 5 and shape[3] == 1 else None


def _placing(header: Any, first: int) -> Any:
    """From the letters of the axes and the place of a page along them, where it lies; in millimetres or as named."""
    if header["qform_code"] <= 0 and header["sform_code"] <= 0:
        return None

    def place(letters: str, places: dict[str, int]) -> Georeference | None:
        affine = header.get_best_affine()
        steps = {letter: affine[:3, axis] for axis, letter in enumerate(letters[first : first + 3])}
        if not {"H", "W"} <= set(steps):
            return None
        right, down = steps["W"], steps["H"]
        if max(abs(right[2]), abs(down[2])) > 1e-4 * max(np.abs(right).max(), np.abs(down).max()):
            return None  # the slice does not lie flat in x and y
        origin = affine[:3, 3] - 0.5 * right - 0.5 * down  # the affine leads to the middle of a voxel
        for letter, step in steps.items():
            origin = origin + places.get(letter, 0) * step
        unit = header.get_xyzt_units()[0]
        return georeferenced(
            (right[0], down[0], origin[0], right[1], down[1], origin[1]), "", "" if unit == "unknown" else unit
        )

    return place


_kept: Final[dict[tuple[object, ...], bytes]] = {}
_lock: Final = threading.Lock()


def _unzipped(file: BinaryIO, end: int) -> BinaryIO:
    """The file without its gzip, up to a byte; small volumes are unzipped once for all their slices."""
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file)
    if (key := identity(file)) is None:
        return cast("BinaryIO", stream)
    if end > KEPT_BYTES // 2:
        return cast("BinaryIO", stream)
    with _lock:
        data = _kept.get(key)
    if data is None:
        data = stream.read(end)
        stream.read(1)  # at the end of the stream its check sum is compared
        with _lock:
            while _kept and sum(map(len, _kept.values())) + len(data) > KEPT_BYTES:
                del _kept[next(iter(_kept))]
            _kept[key] = data
    return io.BytesIO(data)
