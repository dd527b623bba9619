"""Pixels for the eye: any image as a screen can show it, labels laid over it, thumbnails. Shapes: H W the image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from maskwright.data.labels import Labels
from maskwright.records import IGNORED

THUMBNAIL = 400
"""Longest side of a thumbnail, in pixels: sharp in a report four of them wide."""
SMALLEST = 200
"""Smaller images are enlarged by a whole factor towards this, pixel by pixel, so that single pixels can be judged."""
BAND = 256
"""Rows that are coloured at a time."""

Bytes = NDArray[np.uint8]


def displayed(image_HWC: NDArray[Any]) -> Bytes:
    """The image as a screen can show it, H W 3: 8 bits as they are, all else stretched between robust percentiles.

    Two channels become magenta and green; of more than three the first three are shown, each stretched on its own.
    """
    channels = image_HWC.shape[2]
    if image_HWC.dtype != np.uint8:
        # Together where they are one picture: stretched apart, a red wall would turn grey.
        together = channels in (1, 3)
        parts = [image_HWC] if together else [image_HWC[:, :, c : c + 1] for c in range(min(channels, 3))]
        image_HWC = np.concatenate([_stretched(part) for part in parts], axis=2)
    order = {1: [0, 0, 0], 2: [0, 1, 0]}.get(channels, [0, 1, 2])
    return np.ascontiguousarray(image_HWC[:, :, order])


def overlay(image_HWC: NDArray[Any], labels_HW: Bytes, labels: Labels, *, fill: float = 0.5) -> Bytes:
    """The image with its labels laid over it, H W 3: class colours half-transparent, their outlines solid.

    A background and ignored pixels stay clear: they are exactly `displayed(image)`.
    """
    out = displayed(image_HWC)
    covered = labels_HW != IGNORED
    if (clear := background(labels.names)) is not None:
        covered &= labels_HW != clear
    reach = 2 * max(1, round(max(labels_HW.shape) / 800)) + 1  # about a pixel wide when seen on a screen
    lowest, highest = (f(labels_HW, size=reach) for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    outline = covered & (lowest != highest)
    colours = colour_table(labels)
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


def _stretched(image_HWC: NDArray[Any]) -> Bytes:
    """All channels alike, so that all but the darkest and brightest 0.5 % fill 0 … 255."""
    pixels_NC = image_HWC.reshape(-1, image_HWC.shape[2])
    some = pixels_NC[:: max(1, len(pixels_NC) // 500_000)].astype(np.float32)
    some = some[np.isfinite(some)]
    low, high = np.percentile(some, [0.5, 99.5]) if some.size else (0.0, 0.0)
    if high <= low:  # nearly all of one value: show what differs from it
        low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)
    scaled = (np.nan_to_num(image_HWC.astype(np.float32)) - low) * (255 / max(high - low, 1e-12))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
