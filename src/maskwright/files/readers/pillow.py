"""BMP, GIF and WebP, which Pillow reads well; and how any picture of Pillow's becomes one of ours."""

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO, ClassVar, Final

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Image
from PIL.WebPImagePlugin import WebPImageFile

from maskwright.errors import ReadError
from maskwright.files.limits import LZW, RAW, bands, check_memory, check_promise
from maskwright.files.orientation import orientation_in
from maskwright.files.readers import readers
from maskwright.files.sizes import webp_size
from maskwright.files.stored import Array, Stored, is_grey, looked_up

# Pillow's modes: how many channels are left without alpha.
CHANNELS: Final = {"1": 1, "L": 1, "P": 1, "LA": 1, "PA": 1, "RGB": 3, "RGBX": 3, "RGBA": 3, "CMYK": 3}

_BMP_HEADERS: Final = {12, 16, 40, 52, 56, 64, 108, 124}  # sizes of the second header, one a version


@readers.register("bmp-gif-webp")
class Pillow:
    """Formats whose colours, depths and palettes Pillow gives unchanged."""

    suffixes: ClassVar[tuple[str, ...]] = (".bmp", ".gif", ".webp")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether Pillow's BMP, GIF or WebP reader is the one."""
        return _opener(head) is not None

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The only frame of the file."""
        # The classes are called directly: `Image.open` asks every plug-in in turn, and warns of sizes we
        # allow.
        head = file.read(64)
        opener = _opener(head)
        assert opener is not None, "open is called for files that were recognised"
        _check_before[opener](file, head)
        file.seek(0)
        image = opener(file)
        if opener is WebPImageFile:
            check_frames(getattr(image, "n_frames", 1))
        stored = _stored_from_bmp(image, file) if isinstance(image, BmpImageFile) else stored_from(image)
        return _grey_as_grey(stored)


def check_frames(count: int) -> None:
    """Nothing, or an error for an animation."""
    if count > 1:
        raise ReadError(
            f"is an animation of {count} frames, but one file should hold one picture. "
            "Save each frame as a PNG of its own, or the one that is meant."
        )


def stored_from(image: Image) -> Stored:
    """The picture of a file that Pillow has opened and not yet decoded."""
    if image.mode not in CHANNELS:
        raise ReadError(f"stores its colours in the way {image.mode!r}. Export it as RGB or grey.")
    palette = _palette(image) if image.mode in ("P", "PA") else None
    bits, pixels = _bits(image), image.height * image.width
    # Pillow keeps colours in four bytes a pixel.
    held = pixels * (4 if image.mode not in ("1", "L", "P") else 1) + pixels * CHANNELS[image.mode]
    return Stored(
        image.height, image.width, CHANNELS[image.mode], "uint8", lambda: samples_of(image, bits),
        orientation_in(image.info.get("exif", b"")), palette, bits, working=held,
        alpha=(lambda: _alpha(image)) if image.has_transparency_data else None,
    )  # fmt: skip


def _alpha(image: Image) -> Array:
    image.load()  # alone, as in `_samples`
    return np.array(image.convert("RGBA").getchannel("A"))


def _palette(image: Image) -> Array:
    """The colours as the file has them; Pillow's own `getpalette` would decode the pixels first."""
    colours = image.palette
    if colours is None:
        raise ReadError("has no palette, but pixels that need one. It is damaged: copy, download or export it again.")
    order = colours.rawmode or colours.mode
    values = np.frombuffer(bytes(colours.palette), np.uint8)
    values = values[: len(values) // len(order) * len(order)].reshape(-1, len(order))[:256]
    return values[:, [order.index(letter) for letter in "RGB"]].copy()


def _stored_from_bmp(image: BmpImageFile, file: BinaryIO) -> Stored:
    """The picture of a BMP, with as many bits a pixel as there are, and its palette if it has one.

    Where the palette holds black and white, or the first greys, Pillow forgets how many bits an index has.
    """
    file.seek(14)
    head = file.read(16)
    size = int.from_bytes(head[:4], "little")
    bits = int.from_bytes(head[10:12] if size == 12 else head[14:16], "little")
    if image.mode != "1" and (image.mode != "L" or bits == 8):
        return stored_from(image)
    file.seek(0)
    data = bytearray(file.read())
    data[14 + size] = 1  # the first black becomes a blue that nobody can see, and the palette stays a palette
    stored = stored_from(BmpImageFile(io.BytesIO(data)))
    assert stored.palette is not None, "no palette with a blue in it is grey"
    stored.palette[0] = 0
    return stored


def _grey_as_grey(stored: Stored) -> Stored:
    """The same picture, without its palette if that only says which greys there are.

    These formats have no other way to store grey, and programs number the greys of each file anew: all white
    is index 0 in one file and 1 in the next.
    """
    if stored.palette is None or not is_grey(palette := stored.palette):
        return stored
    lit = np.flatnonzero(palette.any(axis=1))
    greys = palette[: lit[-1] + 1 if lit.size else 0, 0]  # what follows the last colour only fills up
    if len(greys) == 0 or len(set(greys.tolist())) < len(greys):
        return stored  # here indices are told apart that look alike, so they are what is meant
    return replace(stored, palette=None, decode=lambda: looked_up(stored.decode(), palette))


def samples_of(image: Image, bits: int) -> Array:
    """The samples (H, W, C) as stored, of so many bits, without alpha."""
    image.load()  # alone, as NumPy would swallow some of the errors of a damaged file
    values = np.empty((image.height, image.width, CHANNELS[image.mode]), np.uint8)
    for band in bands(values):  # of a whole picture Pillow would make two copies on the way to NumPy
        rows, columns = (side.indices(length) for side, length in zip(band, values.shape, strict=False))
        part = image.crop((columns[0], rows[0], columns[1], rows[1]))
        samples = np.asarray(part.convert("RGB") if image.mode == "CMYK" else part)
        samples = samples.reshape(part.height, part.width, -1)[:, :, : values.shape[2]]
        values[band] = samples // (255 // (2**bits - 1)) if image.mode == "L" and bits < 8 else samples
    return values


def _bits(image: Image) -> int:
    """Bits of a sample as stored. Pillow says so only in the name of the unpacker that it will use."""
    if image.mode == "1":
        return 1
    if image.mode != "L" or not (tiles := getattr(image, "tile", None)):
        return 8
    unpacker = tiles[0].args if isinstance(tiles[0].args, str) else str((tiles[0].args or ("",))[0])
    return {"L;2": 2, "L;4": 4}.get(unpacker, 8)


def _check_bmp(file: BinaryIO, head: bytes) -> None:
    """Nothing, or an error: Pillow believes any size, and takes the memory for it."""
    size = int.from_bytes(head[14:18], "little")
    if size == 12:
        width, height, bits, packing = (*struct.unpack_from("<HHxxH", head, 18), 0)
    else:
        width, height, bits, packing = struct.unpack_from("<iixxHI", head, 18)
    if packing not in (1, 2):  # what is packed by run lengths may jump over any number of pixels
        check_promise((abs(width) * bits + 31) // 32 * 4 * abs(height), file.seek(0, 2), RAW)


def _check_gif(file: BinaryIO, head: bytes) -> None:
    """Nothing, or an error for an animation, and for pixels that cannot be in the file.

    Pillow would make room for all of them to count the frames.
    """
    frames = list(_gif_frames(file))
    check_frames(len(frames))
    for frame_width, frame_height, packed in frames:
        check_promise(frame_width * frame_height, packed, LZW)
        # Where a frame is to vanish, Pillow makes room for it at once.
        check_memory(2 * frame_width * frame_height, f"{frame_width}×{frame_height} pixels")


def _gif_frames(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Width, height and bytes of each frame, as far as the file goes."""
    file.seek(0)
    data = file.read()
    at = 13 + _colours_bytes(data[10]) if len(data) > 10 else len(data)
    while at + 1 < len(data) and data[at] in b"\x21\x2c":
        start = at
        at += 2 if data[at] == 0x21 else 10
        if at >= len(data):
            return
        if data[start] == 0x2C:
            at += 1 + _colours_bytes(data[at - 1])
        first = at
        while at < len(data) and data[at]:
            at += 1 + data[at]
        if data[start] == 0x2C:
            yield *struct.unpack_from("<HH", data, start + 5), at - first
        at += 1


def _colours_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _check_webp(file: BinaryIO, head: bytes) -> None:
    """Nothing, or an error: libwebp makes room for the pixels as soon as the file is opened."""
    height, width = webp_size(head) or (1, 1)
    check_memory(_WEBP * width * height, f"{width}×{height} pixels of WebP")


_WEBP: Final = 18  # bytes a pixel that libwebp and Pillow take together
_check_before: Final[dict[type[Image], Callable[[BinaryIO, bytes], None]]] = {
    BmpImageFile: _check_bmp, GifImageFile: _check_gif, WebPImageFile: _check_webp,
}  # fmt: skip


def _opener(head: bytes) -> type[BmpImageFile | GifImageFile | WebPImageFile] | None:
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GifImageFile
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImageFile
    # "BM" alone may begin a text.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BmpImageFile
    return None
