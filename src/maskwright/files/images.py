"""Images: a path becomes an array, an array becomes a file. Shapes: H W the picture, C its channels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import SettingError
from maskwright.files.encoding import encode
from maskwright.files.listing import STACK_SUFFIXES
from maskwright.files.opening import check_size, opened
from maskwright.files.stored import Array, Header, image_of
from maskwright.records import replacing


def read_header(path: str | Path, page: int | None = None) -> Header:
    """Height, width, channels and type that `read_image` would give, without decoding a pixel.

    A header may speak of more pixels than can be read at once; `read_image` is the one that refuses them.

    Raises:
        ReadError: as for `read_image`.
    """
    with opened(path, page) as stored:
        return stored.header


def read_image(path: str | Path, page: int | None = None) -> Array:
    """The picture in a file as an array (H, W, C) of uint8, uint16 or float32, upright.

    - Grey gives C = 1, colour C = 3 in the order red, green, blue; a TIFF of more bands gives them all.
    - Alpha is dropped: how far a pixel shines through is no colour of it. Bands of a TIFF are dropped only if
      the file calls them alpha.
    - A palette is expanded to its colours, C = 3; if all of them are grey, to grey, C = 1.
    - Grey of 1, 2 and 4 bits is stretched to 0–255, and "zero is white" turned round: the picture as it is
      seen.
    - CMYK becomes RGB. YCbCr outside of JPEG, CIELab and camera raw files are refused.
    - An EXIF orientation is applied.
    - 8- and 16-bit samples keep their values. Other integers become float32 if that is exact; floats of 16
      and 64 bits become float32.
    - Of a TIFF of several pages, `page` says which one is meant, from 0; `pages_in` says how many there are.
      Without it a file of several pictures (pages, frames of an animation) is refused: which one is meant is
      not ours to guess. Thumbnails, overviews and a camera's preview do not count.

    Raises:
        ReadError: the file is missing, damaged, cut short, of another kind, a stack, or too large, or has no
        such page; says what to do.
    """
    return read_picture(path, page).image


@dataclass(frozen=True, eq=False)
class Picture:
    """An image with what its file says besides."""

    image: Array
    """H W C, as `read_image` gives it."""
    orientation: int
    """EXIF, 1 to 8: how the image was turned to be upright."""


def read_picture(path: str | Path, page: int | None = None) -> Picture:
    """The picture in a file, as `read_image` gives it, and how it had to be turned.

    Raises:
        ReadError: as for `read_image`.
    """
    with opened(path, page) as stored:
        check_size(stored)
        return Picture(image_of(stored), stored.orientation)


def write_image(path: str | Path, array: Array) -> Path:
    """Write an image to a `.png`, `.tif` or `.jpg` file, atomically. Returns the path.

    `array` is (H, W), (H, W, 1) or (H, W, 3): uint8 for all three, uint16 for PNG and TIFF, float32 for TIFF; for
    TIFF it may have any number of channels.
    PNG and TIFF give back exactly what was written; JPEG does not, so it is for looking at.

    Raises:
        SettingError: this kind of file cannot hold this array; says which can.
    """
    path = Path(path)
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    bands = path.suffix.lower() in STACK_SUFFIXES
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3 and not bands):
        raise SettingError(
            f"An array of shape {array.shape} cannot be written to {path}; (H, W), (H, W, 1) or (H, W, 3) was expected."
        )
    with replacing(path) as temporary:
        encode(temporary, array, name=str(path))
    return path
