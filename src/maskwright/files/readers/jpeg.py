"""JPEG: Pillow reads the header and the doubtful files, a faster decoder the sound ones."""

from typing import BinaryIO, ClassVar

from PIL.JpegImagePlugin import JpegImageFile

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
        image = _Jpeg(file)
        stored = stored_from(image)
        if image.mode not in ("L", "RGB"):
            return stored
        return Stored(
            stored.height, stored.width, stored.channels, stored.dtype,
            lambda: _decode(file, image.mode, stored), stored.orientation,
        )  # fmt: skip


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Nothing: dots an inch are of no use here, and Pillow warns when the EXIF is damaged."""


def _decode(file: BinaryIO, mode: str, stored: Stored) -> Array:
    file.seek(0)
    data = file.read()
    # imagecodecs takes half the time of Pillow for the same values, but fills what is cut off with grey, in
    # silence. The end marker cannot occur within compressed pixels: a file that ends with it has not been cut
    # within them.
    if not data.endswith(b"\xff\xd9"):
        return stored.decode()
    import imagecodecs

    return imagecodecs.jpeg8_decode(data).reshape(stored.height, stored.width, CHANNELS[mode])
