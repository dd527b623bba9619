"""Measuring: an image and its mask are opened once, and what was seen is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.layouts import Entry
from maskwright.data.names import relative
from maskwright.data.sample import Sample, mask_axes, read_bands, read_invalid, read_missing
from maskwright.data.sources import Place, sources
from maskwright.data.sources.classed_objects import OBJECTS
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, content_hash, hashed
from maskwright.files.annotations import Reading


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen of a sample that only the doctor asks for."""

    thumbnail: NDArray[np.uint8]
    """The image in 32 × 32 greys, from its lowest value to its highest."""
    orientation: int
    """EXIF, 1 to 8, of the image …"""
    mask_orientation: int
    """… and of the mask."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A mask as its file holds it, before anything was taken for something else."""

    values: Mapping[int, int]
    style: MaskStyle | None


@dataclass(frozen=True, eq=False)
class Measured:
    """A sample with what its files show besides."""

    sample: Sample
    style: MaskStyle | None
    """How the mask stores its values; None where there is none."""
    look: Look
    before: Stored | None = None
    """The mask as its file holds it, where it is read otherwise."""

    @property
    def stored(self) -> Stored:
        """The mask as its file holds it."""
        return self.before or Stored(self.sample.values, self.style)


def measure(root: Path, entry: Entry, name: str, table: Mapping[str, int] | None = None) -> Measured:
    """The sample of an entry, its files opened.

    table: class name → mask value, where the source names classes.

    Raises:
        ReadError, DataError: a file does not open, the sizes differ, or pixels are no numbers.
    """
    picture = read_bands((entry.image, *entry.bands), entry.page, entry.axes)
    image_HWC = picture.image
    height, width, channels = image_HWC.shape
    shown = entry.shown[0]
    place, mask = None, None
    if entry.mask:
        place = Place(
            entry.mask,
            (height, width),
            entry.page,
            entry.parts,
            entry.key,
            mask_axes(entry.axes),
            table=table if table is not None else {},
            reading=entry.reading,
            per_class=entry.per_class,
        )
        mask = _mask(entry, place)
    if mask is not None and mask.values.shape != (height, width):
        raise DataError(
            f"{shown} is {height}×{width}, its mask {entry.shown[1]} is {mask.values.shape[0]}×"
            f"{mask.values.shape[1]} (height × width). Masks must match their image; crop or redraw the mask, or leave "
            f"the pair out with --skip {shown.name}.",
            code="unequal-sizes",
            image=(height, width),
            mask=mask.values.shape,
            orientation=picture.orientation,
        )
    invalid_HW = read_invalid(entry.valid, (height, width)) if entry.valid else None
    measured_NC = image_HWC
    if picture.nodata is not None:
        missing_HW = read_missing((entry.image, *entry.bands), entry.page, entry.axes)
        invalid_HW = missing_HW if invalid_HW is None else invalid_HW | missing_HW
        if missing_HW.all():
            raise DataError(
                f"{shown} holds no data: all pixels are {picture.nodata:g}, its value for none. --skip {shown.name}",
                code="no-data",
            )
        measured_NC = image_HWC[~missing_HW][:, None]
    if measured_NC.dtype == np.float32 and not np.isfinite(measured_NC).all():
        raise DataError(
            f"{shown} has pixels that are not numbers. Replace them, or --skip {shown.name}.", code="not-numbers"
        )
    low, high, mean, std = _statistics(measured_NC)
    sample = Sample(
        **described(root, entry, name),
        content=_content([entry.image, *entry.bands], entry.page),
        mask_content=_mask_content(entry.source, place, entry.valid) if place else None,
        height=height,
        width=width,
        channels=channels,
        nodata=picture.nodata,
        dtype=str(image_HWC.dtype),
        low=low,
        high=high,
        mean=mean,
        std=std,
        values=count(mask.values, invalid_HW) if mask else {},
    )
    look = Look(
        thumbnail(image_HWC if picture.nodata is None else _filled(image_HWC, missing_HW, mean)),
        picture.orientation,
        mask.orientation if mask else 1,
    )
    return Measured(sample, mask.style if mask else None, look)


def described(root: Path, entry: Entry, name: str) -> dict[str, Any]:
    """What a sample says of its entry, by field: all that is known before a file is opened."""
    return {
        "name": name,
        "image": relative(entry.image, root),
        "mask": relative(entry.mask, root) if entry.mask else None,
        "page": entry.page,
        "bands": tuple(relative(path, root) for path in entry.bands),
        "source": entry.source,
        "parts": {part: relative(path, root) for part, path in entry.parts.items()},
        "per_class": entry.per_class,
        "axes": entry.axes,
        "key": entry.key,
        "reading": entry.reading,
        "valid": relative(entry.valid, root) if entry.valid else None,
        "split": entry.split,
    }


def _filled(image_HWC: NDArray[Any], missing_HW: NDArray[np.bool_], mean: tuple[float, ...]) -> NDArray[np.float32]:
    """The image with the mean of each channel where nothing was measured."""
    return np.where(missing_HW[:, :, None], np.array(mean, np.float32), image_HWC.astype(np.float32))


def thumbnail(image_HWC: NDArray[Any], side: int = 32) -> NDArray[np.uint8]:
    """The image in `side` × `side` greys, each the mean of the pixels it stands for, from lowest to highest."""
    height, width = image_HWC.shape[:2]
    # Of large images some pixels are enough, and cost less than all.
    few = image_HWC[:: max(1, height // (8 * side)), :: max(1, width // (8 * side))]
    grey_hw = few.mean(axis=2, dtype=np.float32) if few.shape[2] > 1 else few[:, :, 0].astype(np.float32)
    down, across = (_means(n, side) for n in grey_hw.shape)
    means = down @ grey_hw @ across.T
    low, high = means.min(), means.max()
    return np.rint((means - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)


@lru_cache(maxsize=64)
def _means(pixels: int, side: int) -> NDArray[np.float32]:
    """The matrix, side × pixels, that takes the mean of each of `side` parts; one that would have none takes one pixel.

    A product is three times as fast as `np.add.reduceat`, and thumbnails are a tenth of a small file's time.
    """
    starts = np.arange(side) * pixels // side
    counts = np.maximum(1, np.diff(starts, append=pixels))
    places = np.arange(pixels)
    inside = (places >= starts[:, None]) & (places < (starts + counts)[:, None])
    return (inside / counts[:, None]).astype(np.float32)


def _mask(entry: Entry, place: Place) -> Mask:
    source = sources[entry.source]
    if not source.tells_objects and OBJECTS not in place.parts:
        return source.read(place)
    try:
        if OBJECTS in place.parts:
            source.objects(place)  # what is wrong with the second file is told now
        return source.read(place)
    except DataError as error:
        text = f"{error} Or leave the image out with --skip {entry.shown[0].name}."
        raise DataError(text, code=error.code, files=error.files, **error.facts) from None


_LEVELS: Final = np.arange(256, dtype=np.float64)
_SQUARES: Final = _LEVELS**2


def _statistics(image_HWC: NDArray[Any]) -> tuple[float, float, tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest value, then mean and standard deviation a channel."""
    if image_HWC.dtype != np.uint8:
        flat = image_HWC.reshape(-1, image_HWC.shape[2]).astype(np.float64)
        return float(flat.min()), float(flat.max()), tuple(flat.mean(axis=0).tolist()), tuple(flat.std(axis=0).tolist())
    # A histogram holds all there is to know of 8 bits, and costs a fifth of the float route.
    channels = (image_HWC[:, :, channel].ravel() for channel in range(image_HWC.shape[2]))
    histogram = np.array([np.bincount(channel, minlength=256) for channel in channels])
    shares = histogram / histogram.sum(axis=1, keepdims=True)
    mean = shares @ _LEVELS
    std = np.sqrt(np.maximum(0, shares @ _SQUARES - mean**2))
    present = np.flatnonzero(histogram.sum(axis=0))
    return float(present[0]), float(present[-1]), tuple(mean.tolist()), tuple(std.tolist())


def count(values_HW: NDArray[Any], invalid_HW: NDArray[np.bool_] | None = None) -> dict[int, int]:
    """Pixels by mask value, of those that are valid."""
    flat = values_HW.ravel() if invalid_HW is None else values_HW[~invalid_HW]
    if flat.dtype == np.uint8:
        counts = np.bincount(flat, minlength=256)
        return {value: pixels for value, pixels in enumerate(counts.tolist()) if pixels}
    values, counts = np.unique(flat, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def content_of(root: Path, sample: Sample) -> str:
    """What the `content` of a sample is now.

    Raises:
        ReadError: a file is not there.
    """
    return _content([root / path for path in (sample.image, *sample.bands)], sample.page)


def mask_content_of(root: Path, sample: Sample, table: Mapping[str, int]) -> str:
    """What the `mask_content` of a sample that has a mask is now.

    Raises:
        ReadError: a file is not there.
    """
    valid = root / sample.valid if sample.valid else None
    return _mask_content(sample.source, sample.place(root, table), valid)


def _mask_content(source: str, place: Place, valid: Path | None) -> str:
    files = sources[source].files(place)
    content = _content(files, place.page, several=files != [place.mask])
    if place.key is None and valid is None and place.reading == Reading() and place.per_class is None:
        return content
    of_valid = _content([valid], None) if valid else ""
    if place.per_class is not None:
        content = f"{content} {place.per_class}"
    return hashed(f"{content} {place.key} {place.reading} {of_valid}".encode())


def _content(paths: Sequence[Path], page: int | None, *, several: bool = False) -> str:
    """A hash of a file or of several, or of a page of them."""
    hashes = [content_hash(path, as_read=True) for path in paths]
    if page is not None:
        return hashed(f"{' '.join(hashes)} {page}".encode())
    return hashes[0] if len(hashes) == 1 and not several else hashed(" ".join(hashes).encode())
