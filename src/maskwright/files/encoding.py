"""Arrays become files, each kind by the suffix of its path."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from maskwright.errors import SettingError
from maskwright.files.stored import Array

if TYPE_CHECKING:
    from tifffile import TiffWriter

# The colour map of a TIFF always has 256 entries of 16 bits, where 8-bit colours are multiples of 257. One is
# none, so it marks the entries that only fill up; `read_mask` then finds the palette as long as it was.
FILLER: Final = 1


def encode(path: Path, array: Array, palette: Array | None = None, name: str = "") -> None:
    """Write `array` (H, W) or (H, W, C) to `path`; with a `palette` (colours, 3) its values are indices.

    `name` is the path to speak of in errors.

    Raises:
        SettingError: the suffix is unknown, or its format cannot hold such numbers; says which can.
    """
    suffix = path.suffix.lower()
    name = name or str(path)
    if suffix not in _WRITERS:
        raise SettingError(f"{name} should end in one of {', '.join(_WRITERS)}: the suffix chooses the format.")
    writer, types = _WRITERS[suffix]
    if array.dtype.name not in types:
        raise SettingError(
            f"{name} cannot hold {array.dtype.name} values: {suffix} takes {' or '.join(types)}. "
            "Convert the array, or choose .tif, which takes uint8, uint16 and float32."
        )
    writer(path, np.ascontiguousarray(array), palette)


def _png(path: Path, array: Array, palette: Array | None) -> None:
    if palette is None:
        import imagecodecs

        path.write_bytes(imagecodecs.png_encode(array))
        return
    from PIL import Image

    image = Image.fromarray(array).convert("P")
    image.putpalette(palette.tobytes(), "RGB")
    image.save(path, "PNG")


def encode_pages(path: Path, arrays: Iterable[Array], palette: Array | None = None) -> None:
    """Write arrays as `encode` does, each a page of one TIFF."""
    import tifffile

    with tifffile.TiffWriter(path) as file:
        for array in arrays:
            _write_page(file, np.ascontiguousarray(array), palette)


def _tiff(path: Path, array: Array, palette: Array | None) -> None:
    encode_pages(path, [array], palette)


def _write_page(file: "TiffWriter", array: Array, palette: Array | None) -> None:
    photometric, colormap, extra = "minisblack", None, None
    if array.ndim == 3 and array.shape[2] == 3:
        photometric = "rgb"
    elif array.ndim == 3:
        extra = [0] * (array.shape[2] - 1)  # just further bands: none of them is alpha
    if palette is not None:
        photometric = "palette"
        colormap = np.full((3, 256), FILLER, np.uint16)
        colormap[:, : len(palette)] = palette.T.astype(np.uint16) * 257
    file.write(
        array, photometric=photometric, colormap=colormap, compression="zlib",
        planarconfig="contig" if array.ndim == 3 else None, extrasamples=extra, metadata=None, software=False,
    )  # fmt: skip


def _jpeg(path: Path, array: Array, palette: Array | None) -> None:
    from PIL import Image

    assert palette is None, "masks are never written as JPEG"
    Image.fromarray(array).save(path, "JPEG", quality=95)


_Writer = Callable[[Path, Array, Array | None], None]
_WRITERS: Final[dict[str, tuple[_Writer, tuple[str, ...]]]] = {
    ".png": (_png, ("uint8", "uint16")),
    ".tif": (_tiff, ("uint8", "uint16", "float32")),
    ".tiff": (_tiff, ("uint8", "uint16", "float32")),
    ".jpg": (_jpeg, ("uint8",)),
    ".jpeg": (_jpeg, ("uint8",)),
}
