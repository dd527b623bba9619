"""Jagged edges become smooth."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from maskwright.regions.clean_up.registry import Step, Task, steps
from maskwright.regions.scratch import bands


@steps.register("smooth")
class Smooth(Step):
    """Each pixel takes the label that is most frequent in the disc around it; where several are, its own if that is one
    of them, else background, then the first.

    Only pixels of the chosen classes and of the background vote and change, so that others keep theirs; what is outside
    the picture does not vote. Of two classes it is the median filter.
    """

    about: ClassVar[str] = "each pixel takes the most frequent label within radius pixels"
    radius: int = Field(2, ge=1, le=64)

    def __call__(self, task: Task) -> None:
        """Mend the labels in place."""
        votes = sorted(task.classes)
        if task.background is not None:
            votes.insert(0, task.background)
        height, _ = task.labels.shape
        above: NDArray[Any] | None = None  # rows as they were: those in the plane are smooth already
        for rows, columns in bands(task.labels.shape, task.band):
            below = task.labels.read(slice(rows.start, min(height, rows.stop + self.radius)), columns)
            window_hw = below if above is None else np.concatenate([above, below])
            start = len(window_hw) - len(below)
            inner = slice(start, start + rows.stop - rows.start)
            task.labels.write(rows, columns, _smoothed(window_hw, inner, votes, self.radius))
            above = window_hw[: inner.stop][-self.radius :]


def _smoothed(labels_hw: NDArray[np.uint8], inner: slice, votes: list[int], radius: int) -> NDArray[np.uint8]:
    """The rows `inner` of a window, smooth."""
    old_hw = labels_hw[inner]
    best_hw, most_hw = old_hw.copy(), np.zeros(old_hw.shape, np.int32)
    present = [label for label in votes if (labels_hw == label).any()]
    counts = {label: _in_disc(labels_hw == label, inner, radius) for label in present}
    for label in present:
        own = old_hw == label
        most_hw[own] = counts[label][own]
    for label in present:
        more = (counts[label] > most_hw) & np.isin(old_hw, votes)
        best_hw[more], most_hw[more] = label, counts[label][more]
    return best_hw


def _in_disc(mask_hw: NDArray[np.bool_], inner: slice, radius: int) -> NDArray[np.int32]:
    """How many pixels of a mask lie in the disc around each of the rows `inner`, added up row by row of the disc."""
    height, width = mask_hw.shape
    sums = np.zeros((height, width + 1), np.int32)
    np.cumsum(mask_hw, axis=1, out=sums[:, 1:])
    out = np.zeros((inner.stop - inner.start, width), np.int32)
    places = np.arange(width)
    for down in range(-radius, radius + 1):
        half = int(np.sqrt(radius * radius - down * down))
        right, left = np.minimum(width, places + half + 1), np.maximum(0, places - half)
        top, bottom = max(0, inner.start + down), min(height, inner.stop + down)
        if top >= bottom:
            continue
        part = sums[top:bottom]
        out[top - inner.start - down : bottom - inner.start - down] += part[:, right] - part[:, left]
    return out
