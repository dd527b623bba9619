"""What stands in a file, and how it becomes an image. Shapes: H W the picture, C its channels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from maskwright.errors import ReadError
from maskwright.files.limits import bands
from maskwright.files.orientation import swaps_sides, upright

if TYPE_CHECKING:
    from maskwright.files.georeference import Georeference

Array = np.ndarray[Any, Any]
Region = Callable[[slice, slice], Array]

KEPT: Final = {"bool": "uint8", "uint8": "uint8", "uint16": "uint16"}
"""The types that stay integers in an image; every other number becomes float32."""


@dataclass(frozen=True)
class Header:
    """Size and type of the array that `read_image` would give."""

    height: int
    width: int
    channels: int
    dtype: str
    nodata: float | None = None  # the value that means: nothing was measured here


@dataclass(frozen=True, eq=False)
class Stored:
    """An opened picture: what its file says of it, and `decode` for the samples, which costs the time.

    `decode` gives the stored samples (H, W, C) without alpha, palette indices as they are (C = 1), colours as
    RGB, not yet turned. It is called while the file is open, at most once.

    `region`, where there is one, gives the part of it within slices of rows and of columns, without decoding the rest.
    """

    height: int
    width: int
    channels: int
    dtype: str
    decode: Callable[[], Array]
    orientation: int = 1  # EXIF: 1 to 8
    palette: Array | None = None  # (colours, 3) uint8
    bits: int = 8  # of a sample; grey of 1, 2 and 4 bits is stretched to 8 in images
    inverted: bool = False  # zero is shown as white
    region: Region | None = None
    alpha: Callable[[], Array] | None = None  # H W as stored, of any type; None: every pixel is opaque
    nodata: float | None = None
    georeference: "Callable[[], Georeference | None] | None" = None  # of the picture before it is turned
    axes: str = "HWC"  # which axis of the file is which
    reason: str = "its format has rows, columns and colours"
    working: int | None = None
    """Bytes that `decode` takes at its peak, what it gives and what it reads among them; None: twice the samples."""

    @property
    def header(self) -> Header:
        """What `read_image` will give."""
        height, width = (self.height, self.width)
        if swaps_sides(self.orientation):
            height, width = width, height
        channels = self.channels if self.palette is None or is_grey(self.palette) else 3
        return Header(height, width, channels, KEPT.get(self.dtype, "float32"), self.nodata)

    @property
    def samples_bytes(self) -> int:
        """What `decode` gives."""
        return self.height * self.width * self.channels * np.dtype(self.dtype).itemsize

    def image_bytes(self) -> int:
        """What `image_of` takes at its peak."""
        header = self.header
        image = header.height * header.width * header.channels * np.dtype(header.dtype).itemsize
        shown_as_stored = self.palette is None and self.bits >= 8 and not self.inverted
        after = self.samples_bytes + (0 if shown_as_stored and self.dtype in KEPT else image)
        turned = 0 if self.orientation == 1 else 2 * image
        return max(self.decoding_bytes, after, turned)

    @property
    def decoding_bytes(self) -> int:
        """What `decode` takes at its peak."""
        return 2 * self.samples_bytes if self.working is None else max(self.working, self.samples_bytes)


def is_grey(colours: Array) -> bool:
    """Whether these colours (…, 3) are all shades of grey."""
    if colours.ndim == 3:
        return all(is_grey(colours[band].reshape(-1, 3)) for band in bands(colours))
    red = colours[..., 0]
    return bool((red == colours[..., 1]).all() and (red == colours[..., 2]).all())


def image_of(stored: Stored) -> Array:
    """The picture as it is meant to be seen: (H, W, C) in uint8, uint16 or float32, contiguous, upright."""
    values = stored.decode()
    values = _shown(values, stored) if stored.palette is None else looked_up(values, stored.palette)
    values = _kept(values)  # by the same name: what it was made from is let go
    return np.ascontiguousarray(upright(values, stored.orientation))


def looked_up(index_HW1: Array, palette: Array) -> Array:
    """The colours (H, W, 3) of a palette (colours, 3) at these indices; (H, W, 1) if all of them are grey."""
    channels = 1 if is_grey(palette) else 3
    table = np.zeros((256, channels), np.uint8)  # an index past the end of the palette is shown black
    table[: len(palette)] = palette[:, :channels]
    colours = np.empty((*index_HW1.shape[:2], channels), np.uint8)
    for band in bands(index_HW1):  # NumPy makes eight bytes of each index
        colours[band] = table.take(index_HW1[band][:, :, 0], axis=0)
    return colours


def _shown(values: Array, stored: Stored) -> Array:
    if not stored.inverted and stored.bits >= 8:
        return values
    shown = np.empty_like(values)
    for band in bands(values):
        part = values[band]
        if stored.inverted:
            part = values.dtype.type(2**stored.bits - 1) - part
        shown[band] = part * np.uint8(255 // (2**stored.bits - 1)) if stored.bits < 8 else part
    return shown


def _kept(values: Array) -> Array:
    """The same numbers in the type the header promised."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.name in KEPT:
        return values.astype(KEPT[values.dtype.name], copy=False)
    if values.dtype == np.float32:
        return values.astype(np.float32, copy=False)  # its own byte order
    floats = np.empty(values.shape, np.float32)
    for band in bands(values):
        part = values[band]
        with np.errstate(over="ignore", invalid="ignore"):
            floats[band] = part
        if values.dtype.kind == "f" and (np.isinf(floats[band]) & np.isfinite(part)).any():
            raise ReadError("holds numbers beyond 3.4e38, the largest of float32. Divide them by a constant first.")
        if values.dtype.kind in "iu" and not _exact(part, floats[band]):
            raise ReadError(
                f"holds {values.dtype.name} numbers that float32 cannot tell from their neighbours "
                f"(largest: {values.max()}). Subtract a constant, or save it as uint16 or float32."
            )
    return floats


def _exact(integers: Array, floats: Array) -> bool:
    # float64 holds every integer up to 2^53; beyond it, equality there would prove nothing.
    if max(abs(int(integers.min())), abs(int(integers.max()))) > 2**53:
        return False
    return bool((integers.astype(np.float64) == floats.astype(np.float64)).all())
