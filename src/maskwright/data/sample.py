"""One sample: an image with its mask, opened once and measured."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.data.layouts import Entry
from maskwright.data.names import relative
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, read_image, read_mask
from maskwright.records import Record

Split = Literal["train", "val", "test"]


class Sample(Record):
    """One image, its mask if it has one, and what was measured when they were opened."""

    name: str
    """Unique in the data set: the path without its ending, as short as it can be."""
    image: str
    mask: str | None
    """Paths relative to the data set's folder."""
    split: Split | None
    content: str
    """A hash of the image file: two files of the same content are the same image, whatever they are called."""
    mask_content: str | None = None
    """The same of the mask file."""
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
    """Mask value → pixels."""


def measure(root: Path, entry: Entry, name: str) -> tuple[Sample, MaskStyle | None]:
    """The sample of an entry, its files opened, and its mask's style.

    Raises:
        ReadError, DataError: a file does not open, the sizes differ, or pixels are no numbers.
    """
    image_HWC = read_image(entry.image)
    height, width, channels = image_HWC.shape
    mask = read_mask(entry.mask) if entry.mask else None
    if mask is not None and mask.values.shape != (height, width):
        raise DataError(
            f"{entry.image} is {height}×{width}, its mask {entry.mask} is {mask.values.shape[0]}×"
            f"{mask.values.shape[1]} (height × width). Masks must match their image; crop or redraw the mask, or leave "
            f"the pair out with --skip {entry.image.name}."
        )
    if image_HWC.dtype == np.float32 and not np.isfinite(image_HWC).all():
        raise DataError(f"{entry.image} has pixels that are not numbers. Replace them, or --skip {entry.image.name}.")
    low, high, mean, std = _statistics(image_HWC)
    sample = Sample(
        name=name,
        image=relative(entry.image, root),
        mask=relative(entry.mask, root) if entry.mask else None,
        split=entry.split,
        content=_hash(entry.image),
        mask_content=_hash(entry.mask) if entry.mask else None,
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


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=12).hexdigest()
