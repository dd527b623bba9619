"""One sample: an image with its mask, opened once and measured."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.data.layouts import Entry, Objects
from maskwright.data.names import relative
from maskwright.data.objects import FOREGROUND, read_objects
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, files_in, is_picture_folder, read_image, read_mask
from maskwright.records import Record

Split = Literal["train", "val", "test"]


class Sample(Record):
    """One image, its mask if it has one, and what was measured when they were opened."""

    name: str
    """Unique in the data set: the path without its ending, as short as it can be."""
    image: str
    mask: str | None
    """Paths relative to the data set's folder; the mask's is a folder where each object has a file."""
    page: int | None = None
    """Which page, from 0, of both files, where they are stacks."""
    objects: Objects | None = None
    """How the mask tells objects apart, if it does."""
    split: Split | None
    content: str
    """A hash of the image file and the page: two of the same content are the same image, whatever they are called."""
    mask_content: str | None = None
    """The same of the mask."""
    height: int
    width: int
    channels: int
    dtype: str
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the image's values as stored, a number a channel."""
    values: dict[int, int] = {}
    """Mask value → pixels; where masks tell objects apart, 255 stands for any object."""

    @property
    def mask_shown(self) -> str:
        """The mask as it is spoken of: a page of a stack is said to be one."""
        return f"{self.mask}" if self.page is None else f"{self.mask}, page {self.page},"


def measure(root: Path, entry: Entry, name: str) -> tuple[Sample, MaskStyle | None]:
    """The sample of an entry, its files opened, and its mask's style.

    Raises:
        ReadError, DataError: a file does not open, the sizes differ, or pixels are no numbers.
    """
    image_HWC = read_image(entry.image, entry.page)
    height, width, channels = image_HWC.shape
    shown = entry.shown[0]
    mask = _mask(entry, (height, width)) if entry.mask else None
    if mask is not None and mask.values.shape != (height, width):
        raise DataError(
            f"{shown} is {height}×{width}, its mask {entry.shown[1]} is {mask.values.shape[0]}×"
            f"{mask.values.shape[1]} (height × width). Masks must match their image; crop or redraw the mask, or leave "
            f"the pair out with --skip {shown.name}."
        )
    if image_HWC.dtype == np.float32 and not np.isfinite(image_HWC).all():
        raise DataError(f"{shown} has pixels that are not numbers. Replace them, or --skip {shown.name}.")
    low, high, mean, std = _statistics(image_HWC)
    sample = Sample(
        name=name,
        image=relative(entry.image, root),
        mask=relative(entry.mask, root) if entry.mask else None,
        page=entry.page,
        objects=entry.objects,
        split=entry.split,
        content=_content(entry.image, entry.page),
        mask_content=_content(entry.mask, entry.page) if entry.mask else None,
        height=height,
        width=width,
        channels=channels,
        dtype=str(image_HWC.dtype),
        low=low,
        high=high,
        mean=mean,
        std=std,
        values=count(mask) if mask else {},
    )
    return sample, mask.style if mask else None


def values_of(path: Path, objects: Objects, size: tuple[int, int], page: int | None = None) -> NDArray[np.uint8]:
    """The values, H W, of a mask that tells objects apart: 255 where there is one, 0 elsewhere."""
    return np.where(read_objects(path, objects, size, page) > 0, np.uint8(FOREGROUND), np.uint8(0))


def _mask(entry: Entry, size: tuple[int, int]) -> Mask:
    assert entry.mask is not None, "asked by the caller"
    if entry.objects:
        try:
            return Mask(values_of(entry.mask, entry.objects, size, entry.page), MaskStyle())
        except DataError as error:
            raise DataError(f"{error} Or leave the image out with --skip {entry.shown[0].name}.") from None
    return read_mask(entry.mask, entry.page)


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


def count(mask: Mask) -> dict[int, int]:
    """Pixels by mask value."""
    if mask.values.dtype == np.uint8:
        counts = np.bincount(mask.values.ravel(), minlength=256)
        return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}
    values, counts = np.unique(mask.values, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _content(path: Path, page: int | None) -> str:
    """A hash of a file, of a page of it, or of a folder's files."""
    if is_picture_folder(path):  # as Zarr is; its pages are told apart by their number
        parts = sorted(part for part in path.rglob("*") if part.is_file())
        return _hash(" ".join([f"{page}", *(_hash(part.read_bytes()) for part in parts)]).encode())
    if page is not None:
        about = path.stat()
        return _hash(f"{_remembered(path, about.st_size, about.st_mtime_ns)} {page}".encode())
    if path.is_dir():
        return _hash(" ".join(_hash(file.read_bytes()) for file in files_in(path)).encode())
    return _hash(path.read_bytes())


@lru_cache(maxsize=16)
def _remembered(path: Path, size: int, time: int) -> str:
    """The hash of a stack, which each of its pages asks for; the size and time only say which file is meant."""
    return _hash(path.read_bytes())


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest()
