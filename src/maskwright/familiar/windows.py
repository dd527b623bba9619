"""Where the guard looks: a few small windows of an image, as the network would see them.

Shapes: H W the image as stored, h w at working size, C channels. The same windows are looked at when a model is made
and when it is used, so that what is measured can be compared.
"""

from collections.abc import Iterator
from itertools import islice, product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskwright.data.preprocess import Preprocess
from maskwright.files import Scene

SIDE: Final = 128
"""Working pixels a side of a window: 1/16 of an image of 512 × 512."""
MOST: Final = 5
"""Windows that are looked at, at most."""
VALID: Final = 0.5
"""Share of a window's pixels that must hold data."""
DENSE: Final = 8.0
"""Stored pixels a working pixel, in each direction, from where on windows are averaged in blocks while read."""


class Place(NamedTuple):
    """A window in working pixels."""

    rows: slice
    columns: slice


def places(height: int, width: int) -> Iterator[Place]:
    """Windows of an image of that working size, each once: its middle, the middles of its quarters, then a grid of six
    by six for those that find no data there.
    """
    first = [(0.5, 0.5), *product((0.25, 0.75), repeat=2)]
    grid = product((np.arange(6) + 0.5) / 6, repeat=2)
    given = set()
    for at in (*first, *grid):
        (top, h), (left, w) = (_span(share, n) for share, n in zip(at, (height, width), strict=True))
        if (top, left) not in given:
            given.add((top, left))
            yield Place(slice(top, top + h), slice(left, left + w))


def views(scene: Scene, preprocess: Preprocess, count: int = MOST, name: object = "the image") -> list[Tensor]:
    """Up to `count` windows, C h w float32 in stored values, at working size and with the network's channels.

    Pixels without data get each channel's mean; windows with few others are passed over. None where no window has data.

    Raises:
        DataError: the channels or the kind of value are not those the network was made for.
        ReadError: the file is damaged there.
    """
    header = scene.header
    size = preprocess.working_size(header.height, header.width)
    every = (view(scene, preprocess, place, name) for place in places(*size))
    return list(islice((image for image in every if image is not None), count))


def view(scene: Scene, preprocess: Preprocess, place: Place, name: object = "the image") -> Tensor | None:
    """One window, C h w; None where too few of its pixels hold data."""
    header = scene.header
    h, w = preprocess.working_size(header.height, header.width)
    rows, columns = _stored(place.rows, header.height / h), _stored(place.columns, header.width / w)
    image_HWC, valid = _read(scene, rows, columns, preprocess, _blocks(header.height / h), _blocks(header.width / w))
    if valid < VALID:
        return None
    size = (place.rows.stop - place.rows.start, place.columns.stop - place.columns.start)
    alone = preprocess.model_copy(update={"size": size})
    return alone.resize(alone.to_channels(image_HWC, name))


def _span(share: float, n: int) -> tuple[int, int]:
    """Where a window around a share of a side begins, and how long it is."""
    length = min(SIDE, n)
    return min(max(0, round(share * n) - length // 2), n - length), length


def _stored(side: slice, factor: float) -> slice:
    return slice(int(side.start * factor), max(int(side.start * factor) + 1, round(side.stop * factor)))


def _blocks(factor: float) -> int:
    """Stored pixels that are averaged while reading; what is left to do is done by the usual resizing."""
    return int(factor / 4) if factor > DENSE else 1


def _read(
    scene: Scene, rows: slice, columns: slice, preprocess: Preprocess, down: int, across: int
) -> tuple[NDArray[Any], float]:
    """The window in stored values, averaged in blocks of down × across, and the share of its pixels with data."""
    if down == across == 1:
        return _filled(*scene.read_valid(rows, columns), preprocess)
    bands, shares = [], []
    columns = slice(columns.start, columns.start + (columns.stop - columns.start) // across * across)
    for top in range(rows.start, rows.stop - down + 1, down):
        image_hwC, share = _filled(*scene.read_valid(slice(top, top + down), columns), preprocess)
        parts = image_hwC.astype(np.float32).reshape(down, -1, across, image_hwC.shape[2])
        bands.append(parts.mean(axis=(0, 2)))
        shares.append(share)
    image_HWC = np.stack(bands)
    if scene.header.dtype != "float32":
        image_HWC = np.rint(image_HWC)
    return image_HWC.astype(scene.header.dtype), float(np.mean(shares))


def _filled(
    image_hwC: NDArray[Any], valid_hw: NDArray[Any] | None, preprocess: Preprocess
) -> tuple[NDArray[Any], float]:
    if valid_hw is None or valid_hw.all():
        return image_hwC, 1.0
    filled = image_hwC.copy()
    filled[~valid_hw] = np.asarray(np.mean(preprocess.mean), np.float64).astype(image_hwC.dtype)
    return filled, float(valid_hw.mean())
