"""A picture of one batch: a row a crop, image, true mask and prediction side by side."""

from pathlib import Path

import numpy as np

from maskwright.data.display import displayed, frame_of, overlay, resized
from maskwright.data.labels import Labels
from maskwright.files import write_image
from maskwright.training.one_batch import Shown

MOST = 8
"""Rows."""
GAP = 4
"""Pixels between pictures."""


def draw_batch(shown: Shown, labels: Labels, path: Path) -> None:
    """Write the picture: the first crops of the batch."""
    rows = []
    for image_CHW, true_HW, said_HW in list(zip(shown.images, shown.labels, shown.predicted, strict=True))[:MOST]:
        image_HWC = np.ascontiguousarray(np.moveaxis(image_CHW, 0, 2))
        frame = frame_of(*true_HW.shape)
        pictures = (displayed(image_HWC), overlay(image_HWC, true_HW, labels), overlay(image_HWC, said_HW, labels))
        gap = np.full((frame[0], GAP, 3), 255, np.uint8)
        parts = [part for picture in pictures for part in (resized(picture, frame), gap)][:-1]
        rows += [np.concatenate(parts, axis=1), np.full((GAP, 3 * frame[1] + 2 * GAP, 3), 255, np.uint8)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.concatenate(rows[:-1], axis=0))
