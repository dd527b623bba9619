"""Measuring: an image and its mask are opened once, and what was seen is kept."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data.layouts import Entry
from maskwright.data.names import relative
from maskwright.data.sample import Sample, read_bands, read_invalid
from maskwright.data.sources import Place, sources
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, is_picture_folder
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
class Measured:
    """A sample with what its files show besides."""

    sample: Sample
    style: MaskStyle | None
    """How the mask stores its values; None where there is none."""
    look: Look


def measure(root: Path, entry: Entry, name: str, table: Mapping[str, int] | None = None) -> Measured:
    """The sample of an entry, its files opened.

    table: class name → mask value, where the source names classes.

    Raises:
        ReadError, DataError: a file does not open, the sizes differ, or pixels are no numbers.
    """
    picture = read_bands((entry.image, *entry.bands), entry.page)
    image_HWC = picture.image
    height, width, channels = image_HWC.shape
    shown = entry.shown[0]
    place, mask = None, None
    if entry.mask:
        place = Place(
            entry.mask, (height, width), entry.page, entry.parts, entry.key, table=table or {}, reading=entry.reading
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
    if image_HWC.dtype == np.float32 and not np.isfinite(image_HWC).all():
        raise DataError(
            f"{shown} has pixels that are not numbers. Replace them, or --skip {shown.name}.", code="not-numbers"
        )
    low, high, mean, std = _statistics(image_HWC)
    invalid_HW = read_invalid(entry.valid, (height, width)) if entry.valid else None
    sample = Sample(
        name=name,
        image=relative(entry.image, root),
        mask=relative(entry.mask, root) if entry.mask else None,
        page=entry.page,
        bands=tuple(relative(path, root) for path in entry.bands),
        source=entry.source,
        parts={name: relative(path, root) for name, path in entry.parts.items()},
        key=entry.key,
        reading=entry.reading,
        valid=relative(entry.valid, root) if entry.valid else None,
        split=entry.split,
        content=_content([entry.image, *entry.bands], entry.page),
        mask_content=_mask_content(entry, place) if place else None,
        height=height,
        width=width,
        channels=channels,
        dtype=str(image_HWC.dtype),
        low=low,
        high=high,
        mean=mean,
        std=std,
        values=count(mask.values, invalid_HW) if mask else {},
    )
    look = Look(thumbnail(image_HWC), picture.orientation, mask.orientation if mask else 1)
    return Measured(sample, mask.style if mask else None, look)


def thumbnail(image_HWC: NDArray[Any], side: int = 32) -> NDArray[np.uint8]:
    """The image in `side` × `side` greys, each the mean of the pixels it stands for, from lowest to highest."""
    height, width = image_HWC.shape[:2]
    # Of large images some pixels are enough, and cost less than all.
    few = image_HWC[:: max(1, height // (8 * side)), :: max(1, width // (8 * side))]
    grey_hw = few.mean(axis=2, dtype=np.float32) if few.shape[2] > 1 else few[:, :, 0].astype(np.float32)
    rows, columns = (np.arange(side) * n // side for n in grey_hw.shape)
    sums = np.add.reduceat(np.add.reduceat(grey_hw, rows, axis=0), columns, axis=1)
    counts = np.maximum(1, np.diff(rows, append=grey_hw.shape[0]))[:, None] * np.maximum(
        1, np.diff(columns, append=grey_hw.shape[1])
    )
    means = sums / counts
    low, high = means.min(), means.max()
    return np.rint((means - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)


def _mask(entry: Entry, place: Place) -> Mask:
    source = sources[entry.source]
    if not source.tells_objects:
        return source.read(place)
    try:
        return source.read(place)
    except DataError as error:
        text = f"{error} Or leave the image out with --skip {entry.shown[0].name}."
        raise DataError(text, code=error.code, files=error.files, **error.facts) from None


def _statistics(image_HWC: NDArray[Any]) -> tuple[float, float, tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest value, then mean and standard deviation a channel."""
    if image_HWC.dtype != np.uint8:
        flat = image_HWC.reshape(-1, image_HWC.shape[2]).astype(np.float64)
        return float(flat.min()), float(flat.max()), tuple(flat.mean(axis=0).tolist()), tuple(flat.std(axis=0).tolist())
    # A histogram holds all there is to know of 8 bits, and costs a fifth of the float route.
    histogram = np.stack([np.bincount(channel.ravel(), minlength=256) for channel in np.moveaxis(image_HWC, 2, 0)])
    levels, shares = np.arange(256), histogram / histogram.sum(axis=1, keepdims=True)
    mean = shares @ levels
    std = np.sqrt(np.maximum(0, shares @ levels**2 - mean**2))
    present = np.flatnonzero(histogram.sum(axis=0))
    return float(present[0]), float(present[-1]), tuple(mean.tolist()), tuple(std.tolist())


def count(values_HW: NDArray[Any], invalid_HW: NDArray[np.bool_] | None = None) -> dict[int, int]:
    """Pixels by mask value, of those that are valid."""
    flat = values_HW.ravel() if invalid_HW is None else values_HW[~invalid_HW]
    if flat.dtype == np.uint8:
        counts = np.bincount(flat, minlength=256)
        return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}
    values, counts = np.unique(flat, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _mask_content(entry: Entry, place: Place) -> str:
    files = sources[entry.source].files(place)
    if entry.key is None:
        content = _content(files, entry.page, several=place.mask.is_dir())
    else:  # a file about all images is not read again for each
        content = " ".join(_remembered(path, (about := path.stat()).st_size, about.st_mtime_ns) for path in files)
    if entry.key is None and entry.valid is None and entry.reading == Reading():
        return content
    return _hash(
        f"{content} {entry.key} {entry.reading} {_content([entry.valid], None) if entry.valid else ''}".encode()
    )


def _content(paths: Sequence[Path], page: int | None, *, several: bool = False) -> str:
    """A hash of a file or of several, or of a page of them."""
    if paths and is_picture_folder(paths[0]):  # as Zarr is; its pages are told apart by their number
        inside = sorted(part for path in paths for part in path.rglob("*") if part.is_file())
        return _hash(" ".join([f"{page}", *(_hash(part.read_bytes()) for part in inside)]).encode())
    if page is None and not several and len(paths) == 1:
        return _hash(paths[0].read_bytes())
    if page is None:
        return _hash(" ".join(_hash(path.read_bytes()) for path in paths).encode())
    whole = []
    for path in paths:
        about = path.stat()
        whole.append(_remembered(path, about.st_size, about.st_mtime_ns))
    return _hash(f"{' '.join(whole)} {page}".encode())


@lru_cache(maxsize=16)
def _remembered(path: Path, size: int, time: int) -> str:
    """The hash of a stack, which each of its pages asks for; the size and time only say which file is meant."""
    return _hash(path.read_bytes())


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
