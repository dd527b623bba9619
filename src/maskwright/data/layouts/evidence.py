"""What a few files themselves say: whether they look like labels, or like masks of a field of view. H W the picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from maskwright.errors import MaskwrightError
from maskwright.files import read_image, read_mask

FEW = 64
"""Labels have no more values than this in the rows that are looked at; pictures nearly always do."""
SIDE = 256
"""Of a large file so many rows are looked at, or rows and columns."""


def looks_like_labels(path: Path) -> bool | None:
    """Whether a file has few values, and the same ones side by side; None if it does not open."""
    try:
        values_HW = read_mask(path).values
    except MaskwrightError:
        try:
            read_image(path)
        except MaskwrightError:
            return None
        return False
    rows_hW = values_HW[:: max(1, values_HW.shape[0] // SIDE)]
    if len(np.unique(rows_hW)) > FEW:
        return False
    alike = rows_hW[:, 1:] == rows_hW[:, :-1]
    return bool(alike.size == 0 or alike.mean() >= 0.7)


def is_two_valued(path: Path) -> bool:
    """Whether a file holds 0 and at most one other value, as a mask of one class does."""
    try:
        values_HW = read_mask(path).values
    except MaskwrightError:
        return False
    return len(set(np.unique(values_HW).tolist()) - {0}) <= 1


def shows_field_of_view(pairs: Sequence[tuple[Path, Path]]) -> bool:
    """Whether masks are of the field of view: each one big region without holes, the same in all, and the image black
    around it. One mask alone could as well be of an object in front of black.

    pairs: an image and its mask each; a few are enough.
    """
    regions = []
    for image, mask in pairs:
        region_HW = _one_region(mask)
        if region_HW is None or not _black_around(image, region_HW):
            return False
        regions.append(region_HW)
    if len(regions) < 2:
        return False
    first, *rest = regions
    return all(other.shape == first.shape and _overlap(first, other) > 0.9 for other in rest)


def _one_region(path: Path) -> NDArray[np.bool_] | None:
    try:
        values_HW = read_mask(path).values
    except MaskwrightError:
        return None
    # Some are published as JPEG.
    inside_HW = values_HW > values_HW.max() / 2
    if not 0.4 < inside_HW.mean() < 1 or len(np.unique(values_HW)) > FEW:
        return None
    parts_HW, count = ndimage.label(inside_HW)
    largest = np.bincount(parts_HW.ravel())[1:].max() if count else 0
    holes = ndimage.binary_fill_holes(inside_HW).sum() - inside_HW.sum()
    return inside_HW if largest > 0.99 * inside_HW.sum() and holes < 0.001 * inside_HW.size else None


def _black_around(path: Path, inside_HW: NDArray[np.bool_]) -> bool:
    try:
        image_HWC: NDArray[Any] = read_image(path)
    except MaskwrightError:
        return False
    if image_HWC.shape[:2] != inside_HW.shape:
        return False
    grey_HW = image_HWC.mean(axis=2, dtype=np.float32)
    return bool(grey_HW[~inside_HW].mean() < 0.25 * grey_HW[inside_HW].mean())


def _overlap(one_HW: NDArray[np.bool_], other_HW: NDArray[np.bool_]) -> float:
    return float((one_HW & other_HW).sum() / max(1, (one_HW | other_HW).sum()))
