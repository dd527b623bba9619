"""The open lists of scores: those that a confusion matrix tells of each class, and those that one image has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from maskwright.registry import Registry

Confusion = NDArray[np.int64]
"""Pixels by true class (rows) and predicted class (columns), K × K."""

ClassMetric = Callable[[Confusion], NDArray[np.float64]]
"""Confusion matrix → one score a class, 0 … 1, NaN for a class that does not occur."""

class_metrics: Registry[ClassMetric] = Registry("metric", "maskwright.metrics")


@dataclass(frozen=True, eq=False)
class ImageResult:
    """What was predicted of one image, and what is true, at the image's own size. Label 0 is the background, every
    other label is foreground: a cell, a nucleus, salt.
    """

    labels_HW: NDArray[np.uint8]  # noqa: N815
    true_HW: NDArray[np.uint8]  # noqa: N815
    """With IGNORED where a pixel counts nowhere."""
    probabilities_KHW: NDArray[np.float32] | None = None  # noqa: N815
    """If they were computed; over the classes they add up to 1."""
    objects_HW: NDArray[np.integer] | None = None  # noqa: N815
    """The true objects by number, 0 for background, if the data tell touching ones apart."""
    found_HW: NDArray[np.integer] | None = None  # noqa: N815
    """The predicted objects by number, 0 for background, if touching ones were told apart."""


class ImageMetric(Protocol):
    """A score of one image, as contests and challenges define theirs; that of a data set is the mean over images."""

    uses_probabilities: bool
    """Whether it tries several thresholds; without probabilities it makes do with the labels."""
    uses_objects: bool
    """Whether it looks at objects, true and predicted; without them it makes do with the pieces of the masks."""
    smaller_is_better: bool

    def __call__(self, result: ImageResult) -> float | None:
        """The score, or None for an image to which it does not apply."""


@runtime_checkable
class ByClass(Protocol):
    """What a score of objects can do besides: tell the scores of classes apart."""

    def by_class(self, result: ImageResult) -> dict[int, float]:
        """Label → score, of the classes to which it applies."""


image_metrics: Registry[ImageMetric] = Registry("image metric", "maskwright.metrics")
