"""BMP, GIF and WebP, which Pillow reads well; and how any picture of Pillow's becomes one of ours."""

import io
from dataclasses import replace
from typing import BinaryIO, ClassVar, Final

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Image
from PIL.WebPImagePlugin import WebPImageFile

from maskwright.errors import ReadError
from maskwright.files.orientation import orientation_in
from maskwright.files.readers import readers
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
        opener = _opener(file.read(64))
        file.seek(0)
        assert opener is not None, "open is called for files that were recognised"
        image = opener(file)
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
    palette = None
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    bits = _bits(image)
    return Stored(
        image.height, image.width, CHANNELS[image.mode], "uint8", lambda: _samples(image, bits),
        orientation_in(image.info.get("exif", b"")), palette, bits,
        alpha=(lambda: _alpha(image)) if image.has_transparency_data else None,
    )  # fmt: skip


def _alpha(image: Image) -> Array:
    image.load()  # alone, as in `_samples`
    return np.array(image.convert("RGBA").getchannel("A"))


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


def _samples(image: Image, bits: int) -> Array:
    image.load()  # alone, as NumPy would swallow some of the errors of a damaged file
    values = np.array(image.convert("RGB") if image.mode == "CMYK" else image)
    if image.mode == "L" and bits < 8:
        values //= 255 // (2**bits - 1)  # Pillow has stretched them
    values = values.reshape(image.height, image.width, -1)
    return values.astype(np.uint8, copy=False)[:, :, : CHANNELS[image.mode]]


def _bits(image: Image) -> int:
    """Bits of a sample as stored. Pillow says so only in the name of the unpacker that it will use."""
    if image.mode == "1":
        return 1
    if image.mode != "L" or not (tiles := getattr(image, "tile", None)):
        return 8
    unpacker = tiles[0].args if isinstance(tiles[0].args, str) else str((tiles[0].args or ("",))[0])
    return {"L;2": 2, "L;4": 4}.get(unpacker, 8)


def _opener(head: bytes) -> type[BmpImageFile | GifImageFile | WebPImageFile] | None:
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GifImageFile
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WebPImageFile
    # "BM" alone may begin a text.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BmpImageFile
    return None
