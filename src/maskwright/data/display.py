"""Pixels for the eye: any image as a screen can show it, labels laid over it, thumbnails. Shapes: H W the image."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from maskwright.data.labels import Labels
from maskwright.files import Plane, Scene
from maskwright.records import IGNORED

THUMBNAIL = 400
"""Longest side of a thumbnail, in pixels: sharp in a report four of them wide."""
SMALLEST = 200
"""Smaller images are enlarged by a whole factor towards this, pixel by pixel, so that single pixels can be judged."""
BAND = 256
"""Rows that are coloured at a time."""

Bytes = NDArray[np.uint8]
Ranges = tuple[tuple[float, float], ...]


def displayed(image_HWC: NDArray[Any], ranges: Ranges | None = None) -> Bytes:
    """The image as a screen can show it, H W 3: 8 bits as they are, all else stretched between robust percentiles.

    Two channels become magenta and green; of more than three the first three are shown, each stretched on its own.
    ranges: what becomes black and white, of the whole image where this is a part of it; None: of this one.
    """
    channels = image_HWC.shape[2]
    if image_HWC.dtype != np.uint8:
        found = ranges_of([image_HWC], image_HWC.shape[:2]) if ranges is None else ranges
        parts = [_stretched(part, *ends) for part, ends in zip(_apart(image_HWC), found, strict=True)]
        image_HWC = np.concatenate(parts, axis=2)
    order = {1: [0, 0, 0], 2: [0, 1, 0]}.get(channels, [0, 1, 2])
    return np.ascontiguousarray(image_HWC[:, :, order])


def ranges_of(bands_hWC: Iterable[NDArray[Any]], size: tuple[int, int]) -> Ranges:
    """What becomes black and what white, for each part of an image that is stretched by itself: all but the darkest
    and brightest 0.5 % of some pixels that are spread over it.

    bands_hWC: the image from top to bottom. size: H W of all.
    """
    step = max(1, size[0] * size[1] // 500_000)
    some: list[list[NDArray[np.float32]]] = []
    before = 0
    for band_hWC in bands_hWC:
        first, count = -before % step, band_hWC.shape[0] * band_hWC.shape[1]
        before += count
        some.append([
            part.reshape(count, -1)[first::step].astype(np.float32).ravel() for part in _apart(band_hWC)
        ])  # fmt: skip
    return tuple(_range(np.concatenate(values)) for values in zip(*some, strict=True))


def ranges_in(scene: Scene) -> Ranges | None:
    """As `ranges_of`, of a picture that need not fit into memory; None where it is shown as it is."""
    header = scene.header
    if header.dtype == "uint8":
        return None
    bands = (
        scene.read(slice(top, min(header.height, top + BAND)), slice(0, header.width))
        for top in range(0, header.height, BAND)
    )
    return ranges_of(bands, (header.height, header.width))


def overlay(image_HWC: NDArray[Any], labels_HW: Bytes, labels: Labels, *, fill: float = 0.5) -> Bytes:
    """The image with its labels laid over it, H W 3: class colours half-transparent, their outlines solid.

    A background and ignored pixels stay clear: they are exactly `displayed(image)`.
    """
    edges_HW = _edges(labels_HW, _reach(labels_HW.shape))
    return _laid(displayed(image_HWC), labels_HW, edges_HW, labels, fill)


class Overlay:
    """The same as `overlay`, by windows: `read` gives each as it is in the whole.

    labels_plane: H W uint8, of the scene's size.
    """

    def __init__(self, scene: Scene, labels_plane: Plane, labels: Labels, *, fill: float = 0.5):
        self._scene, self._plane, self._labels, self._fill = scene, labels_plane, labels, fill
        self._ranges = ranges_in(scene)
        self._reach = _reach(labels_plane.shape)

    def read(self, rows: slice, columns: slice) -> Bytes:
        """The window h w 3."""
        margin = self._reach // 2
        wider, inner = zip(
            *(_widened(side, margin, size) for side, size in zip((rows, columns), self._plane.shape, strict=True)),
            strict=True,
        )
        labels_hw = self._plane.read(*wider)
        edges_hw = _edges(labels_hw, self._reach)[inner]
        image_hw3 = displayed(self._scene.read(rows, columns), self._ranges)
        return _laid(image_hw3, labels_hw[inner], edges_hw, self._labels, self._fill)


def _widened(side: slice, margin: int, size: int) -> tuple[slice, slice]:
    """The side with a margin, as far as there is a picture; and where in it the side itself is."""
    start, stop = max(0, side.start - margin), min(size, side.stop + margin)
    return slice(start, stop), slice(side.start - start, side.stop - start)


def _reach(size: tuple[int, ...]) -> int:
    return 2 * max(1, round(max(size) / 800)) + 1  # about a pixel wide when seen on a screen


def _edges(labels_HW: Bytes, reach: int) -> NDArray[np.bool_]:
    lowest, highest = (f(labels_HW, size=reach) for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    edges: NDArray[np.bool_] = lowest != highest
    return edges


def _laid(out: Bytes, labels_HW: Bytes, edges_HW: NDArray[np.bool_], labels: Labels, fill: float) -> Bytes:
    covered = labels_HW != IGNORED
    if (clear := background(labels.names)) is not None:
        covered &= labels_HW != clear
    outline, colours = covered & edges_HW, colour_table(labels)
    for first in range(0, len(out), BAND):  # colours of a whole large image are never held at once
        rows = slice(first, first + BAND)
        colour_hw3 = colours[labels_HW[rows]]
        mixed_hw3 = np.rint(out[rows] * np.float32(1 - fill) + colour_hw3 * np.float32(fill)).astype(np.uint8)
        mixed_hw3 = np.where(outline[rows, :, None], colour_hw3, mixed_hw3)
        np.copyto(out[rows], mixed_hw3, where=covered[rows, :, None])
    return out


def background(names: Sequence[str]) -> int | None:
    """The label of what is not looked for: 0 if that class is named background, else none."""
    return 0 if names and names[0].strip().lower() == "background" else None


def colour_table(labels: Labels) -> Bytes:
    """Label → colour, 256 × 3; what is no class is white."""
    table = np.full((256, 3), 255, np.uint8)
    table[: labels.count] = [c.colour for c in labels.classes]
    return table


def hatched(picture: Bytes, where: NDArray[np.bool_]) -> Bytes:
    """The picture H W 3 with grey stripes where it says: pixels that do not count."""
    rows, columns = np.indices(where.shape)
    stripe = (rows + columns) // 3 % 3 == 0
    return np.where(where[:, :, None], np.where(stripe, 150, 225)[:, :, None], picture).astype(np.uint8)


def frame_of(height: int, width: int) -> tuple[int, int]:
    """The size of an image's thumbnail."""
    longest = max(height, width)
    scale = THUMBNAIL / longest if longest > THUMBNAIL else max(1, SMALLEST // longest)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resized(image_HW3: Bytes, frame: tuple[int, int]) -> Bytes:
    """The image at that size."""
    if image_HW3.shape[:2] == frame:
        return image_HW3
    # Pillow's bilinear averages over what it skips; enlarged, each pixel stays a square.
    larger = frame[0] > image_HW3.shape[0]
    method = Image.Resampling.NEAREST if larger else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(image_HW3).resize((frame[1], frame[0]), method, reducing_gap=2.0))


def nearest(labels_HW: Bytes, frame: tuple[int, int]) -> Bytes:
    """The labels at that size: each pixel takes the label at its middle."""
    rows, columns = (
        ((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(frame, labels_HW.shape, strict=True)
    )
    return labels_HW[rows[:, None], columns]


def _apart(image_HWC: NDArray[Any]) -> list[NDArray[Any]]:
    """The parts that are stretched each by itself: all together of one picture, or a red wall would turn grey."""
    channels = image_HWC.shape[2]
    return [image_HWC] if channels in (1, 3) else [image_HWC[:, :, c : c + 1] for c in range(min(channels, 3))]


def _range(some: NDArray[np.float32]) -> tuple[float, float]:
    some = some[np.isfinite(some)]
    low, high = np.percentile(some, [0.5, 99.5]) if some.size else (0.0, 0.0)
    if high <= low:  # nearly all of one value: show what differs from it
        low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)
    return float(low), float(high)


def _stretched(image_HWC: NDArray[Any], low: float, high: float) -> Bytes:
    scaled = (np.nan_to_num(image_HWC.astype(np.float32)) - low) * (255 / max(high - low, 1e-12))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
