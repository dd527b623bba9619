"""Archives whose members are read as if they lay in a folder."""

import io
import tarfile
import zipfile
from collections.abc import Callable

from flavours import Data, flavours, picture, pillow
from flavours_arrays import npy


def members() -> dict[str, bytes]:
    """A picture that is packed, one that is not, and an array."""
    return {"images/a.png": pillow("PNG")(), "images/b.bmp": pillow("BMP")(), "masks/a.npy": npy(picture())}


def tar(form: int) -> Callable[[], bytes]:
    def paint() -> bytes:
        memory = io.BytesIO()
        with tarfile.open(fileobj=memory, mode="w", format=form) as archive:
            for name, data in members().items():
                about = tarfile.TarInfo(name if form == tarfile.USTAR_FORMAT else f"{'long/' * 30}{name}")
                about.size = len(data)
                archive.addfile(about, io.BytesIO(data))
        return memory.getvalue()

    return paint


@flavours("tar", ".tar", reader="an archive")
def _tars() -> dict[str, Callable[[], Data]]:
    forms = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    return {name: tar(form) for name, form in forms.items()}


def zipped(packing: int) -> Callable[[], bytes]:
    def paint() -> bytes:
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", packing) as archive:
            for name, data in members().items():
                archive.writestr(zipfile.ZipInfo(name), data, packing)
        return memory.getvalue()

    return paint


@flavours("zip", ".zip", reader="an archive")
def _zips() -> dict[str, Callable[[], Data]]:
    return {"stored": zipped(zipfile.ZIP_STORED), "deflated": zipped(zipfile.ZIP_DEFLATED)}
