"""JPEG: Pillow reads the header and the doubtful files, a faster decoder the sound ones."""

from dataclasses import replace
from typing import BinaryIO, ClassVar, Final

from PIL.JpegImagePlugin import JpegImageFile

from maskwright.errors import ReadError
from maskwright.files.limits import check_promise
from maskwright.files.readers import readers
from maskwright.files.readers.pillow import CHANNELS, stored_from
from maskwright.files.stored import Array, Stored


@readers.register("jpeg")
class Jpeg:
    """Grey, colour and CMYK JPEG. Of a camera's multi-picture file, the picture; not its previews."""

    suffixes: ClassVar[tuple[str, ...]] = (".jpg", ".jpeg", ".jpe", ".jfif")

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Whether this is JPEG."""
        return head.startswith(b"\xff\xd8\xff")

    @staticmethod
    def open(file: BinaryIO) -> Stored:
        """The picture in the file."""
        size = file.seek(0, 2)
        file.seek(0)
        image = _Jpeg(file)
        stored = stored_from(image)
        working = _working(file, image, stored, size)
        return replace(stored, decode=lambda: _decode(file, image.mode, stored), working=working)


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nothing: dots an inch are of no use here, and Pillow warns when the EXIF is damaged."""


def _decode(file: BinaryIO, mode: str, stored: Stored) -> Array:
    file.seek(0)
    data = file.read()
    _check_scans(data)
    # imagecodecs takes half the time of Pillow for the same values, but fills what is cut off with grey, in
    # silence. The end marker cannot occur within compressed pixels: a file that ends with it has not been cut
    # within them.
    if mode not in ("L", "RGB") or not data.endswith(_END):
        del data
        return stored.decode()
    import imagecodecs

    return imagecodecs.jpeg8_decode(data).reshape(stored.height, stored.width, CHANNELS[mode])


def _working(file: BinaryIO, image: JpegImageFile, stored: Stored, size: int) -> int:
    """Bytes that decoding takes; or an error where the file cannot hold its pixels."""
    # Every block of 8×8 pixels takes a bit at least, if not by arithmetic coding, which hardly anybody uses.
    check_promise(stored.height * stored.width, size, 512)
    across, down = (max(layer[side] for layer in image.layer) for side in (1, 2))
    coefficients = sum(2 * layer[1] * layer[2] / (across * down) for layer in image.layer)  # of 16 bits
    file.seek(-2, 2)
    by_pillow = image.mode not in ("L", "RGB") or file.read(2) != _END
    a_pixel = stored.channels + (4 if by_pillow and image.mode != "L" else int(by_pillow))
    return size + int(stored.height * stored.width * (a_pixel + (coefficients if "progressive" in image.info else 0)))


def _check_scans(data: bytes) -> None:
    """Nothing, or an error: each scan goes through all the pixels again, so that few bytes keep one busy for hours."""
    first = data.find(_SCAN)
    if data.count(_SCAN, first, data.find(_END, first)) > _SCANS:
        raise ReadError(
            f"paints its pixels in more than {_SCANS} scans; cameras and programs need ten. "
            "It is damaged: copy, download or export it again."
        )


_SCANS: Final = 200
_SCAN, _END = b"\xff\xda", b"\xff\xd9"  # neither occurs within packed pixels
