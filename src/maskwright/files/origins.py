"""What the file of an image is, as far as files that are made of it follow it: kind, place, resolution, pyramid."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from maskwright.files.georeference import Georeference
from maskwright.files.opening import is_picture_folder
from maskwright.files.places import open_file
from maskwright.files.scenes import Head, Scene
from maskwright.files.stored import Header

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

GEO_TAGS: Final = (33550, 33922, 34264, 34735, 34736, 34737)
"""Scale, tie points, matrix, keys, numbers and texts of GeoTIFF."""
LARGEST_PNG: Final = 1024**3 // 12
"""Pixels of a PNG: above them Pillow, and what stands on it, takes a picture for an attack and warns."""
PYRAMID_FROM: Final = 2**24
"""Pixels from which a file gets smaller copies, so that viewers open it at once."""

Tag = tuple[int, int, int, Any, bool]
Kind = Literal["tiff", "zarr", "other"]


@dataclass(frozen=True, eq=False)
class Origin:
    """Where an image came from; of an array only its size is known."""

    header: Header
    georeference: Georeference | None = None
    file: Path | None = None
    kind: Kind = "other"
    pyramid: bool = False
    """Whether the file holds smaller copies."""
    tags: tuple[Tag, ...] = ()
    """GeoTIFF's tags as they are in the file; none where the picture had to be turned upright."""
    resolution: tuple[Any, Any, int] | None = None
    """Of a TIFF: pixels a unit across and down, and which unit, as its tags say."""
    zarr_format: Literal[2, 3] = 2

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.header.height, self.header.width

    @property
    def on_a_map(self) -> bool:
        """Whether the image lies on a map that is named, or in a GeoTIFF."""
        return bool(self.tags) or (self.georeference is not None and bool(self.georeference.crs))

    @property
    def large(self) -> bool:
        """Whether it is more than a PNG should hold."""
        return self.header.height * self.header.width > LARGEST_PNG

    @property
    def wants_pyramid(self) -> bool:
        """Whether what is made of it should have smaller copies beside."""
        return self.pyramid or self.header.height * self.header.width >= PYRAMID_FROM

    @property
    def format(self) -> Literal["png", "tiff", "zarr"]:
        """What a picture that is made of it is best written as: Zarr of Zarr; TIFF where there is a place, a pyramid or
        a value for "no data" to be kept, or more pixels than a PNG should hold; else PNG.
        """
        if self.kind == "zarr":
            return "zarr"
        kept = self.kind == "tiff" and (self.pyramid or self.georeference is not None or self.header.nodata is not None)
        return "tiff" if kept or self.on_a_map or self.large else "png"


def origin_of(scene: Scene | Head, file: str | Path | None = None, page: int | None = None) -> Origin:
    """What there is to follow of an image; nothing is decoded.

    file: where the scene was opened; None: it is an array.

    Raises:
        ReadError: the file is gone.
    """
    plain = Origin(scene.header, scene.georeference, None if file is None else Path(file))
    if file is None:
        return plain
    if is_picture_folder(file):
        version: Literal[2, 3] = 3 if (Path(file) / "zarr.json").is_file() else 2
        return Origin(
            scene.header, scene.georeference, Path(file), "zarr", _levels_of_zarr(Path(file)) > 1, zarr_format=version
        )
    with open_file(file) as stream:
        if stream.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return plain
        from tifffile import TiffFile

        stream.seek(0)
        own, others = _page(TiffFile(stream), page)
        turned = own.tags.valueof(274, 1) not in (1, None)
        tags = () if turned else tags_of(own)
        pyramid = bool(own.subifds) or any(one.subfiletype & 1 for one in others)
        resolution = None if turned or tags else _resolution(own)
        return Origin(scene.header, scene.georeference, Path(file), "tiff", pyramid, tags, resolution)


def _page(tiff: "TiffFile", page: int | None) -> tuple["TiffPage", list["TiffPage"]]:
    """The picture, and the pages that may be smaller copies of it: of a stack none is, and going through all its pages
    for each of them would take long.
    """
    if page is not None and 0 < page < len(tiff.pages):
        return cast("TiffPage", tiff.pages[page]), []
    pages = [cast("TiffPage", one) for one in tiff.pages]
    return next((one for one in pages if not one.subfiletype & 5), pages[0]), pages


def tags_of(page: "TiffPage") -> tuple[Tag, ...]:
    """The tags of GeoTIFF that a page has, as they are."""
    found: list[Tag] = []
    for code in GEO_TAGS:
        if (tag := page.tags.get(code)) is not None:
            value = tag.value if isinstance(tag.value, str | tuple) else (tag.value,)
            found.append((code, int(tag.dtype), 0 if isinstance(value, str) else len(value), value, True))
    return tuple(found)


def _resolution(page: "TiffPage") -> tuple[Any, Any, int] | None:
    across, down = page.tags.valueof(282), page.tags.valueof(283)
    unit = int(page.tags.valueof(296, 2))
    sound = all(isinstance(one, tuple) and len(one) == 2 and min(one) > 0 for one in (across, down))
    return (across, down, unit) if sound else None


def _levels_of_zarr(folder: Path) -> int:
    from maskwright.files.extras import needed

    node = needed("zarr", "zarr", "a Zarr folder").open(str(folder), mode="r")
    attributes = node.attrs.asdict()
    pyramids = attributes.get("ome", attributes).get("multiscales") or [{}]
    return len(pyramids[0].get("datasets", ()))
