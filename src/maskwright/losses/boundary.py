"""Boundary loss. Kervadec et al. 2019, arXiv 1812.07032."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from maskwright.losses.regions import regions_of
from maskwright.losses.registry import LossRecord, losses
from maskwright.records import IGNORED


@losses.register("boundary")
class Boundary(LossRecord):
    """The mean of φ·p over pixels and classes, φ the signed distance to the class's boundary, negative inside.

    What is said far from where it should be costs most, so borders are drawn together, however small the object. The
    loss is in pixels, may be negative (a perfect mask reaches its lowest value, Σ of the distances inside), and grows
    with the image: the authors give it a weight of 0.01 beside a region loss. A class that does not occur in an image,
    or fills it, has no boundary there and no say. Class weights and weights a pixel change nothing.
    """

    lowest: ClassVar[float | None] = None

    background: bool = False
    """Whether class 0 has a distance of its own. A single logit is the foreground alone, always."""

    def __call__(
        self, logits: Tensor, labels: Tensor, weights: Tensor | None = None, *, distances: Tensor | None = None
    ) -> Tensor:
        """The loss. `distances` B K H W: those of `signed_distances`, where they are known already."""
        del weights
        said, _, counted = regions_of(logits, labels)
        if distances is None:
            distances = signed_distances(labels, logits.shape[1])
        first = 0 if self.background or logits.shape[1] == 1 else 1
        amount = counted.sum().clamp(min=1) * (logits.shape[1] - first)
        return (said * distances.to(said))[:, first:].sum() / amount


def signed_distances(labels_BHW: Tensor, classes: int) -> Tensor:
    """How far each pixel is from the boundary of each class, B K H W float32, negative inside; K = 1 is class 1.

    In pixels, from middle to middle, less the half pixel that lies beyond the boundary: beside it pixels have -½ and ½,
    so thin objects have an inside too (the authors' code has 0 and 1). Ignored pixels belong to no side: distances are
    to the nearest pixel that is known to lie on the other one. Where there is none, there is no boundary, and φ is 0.
    Works on the CPU, some milliseconds a class and image.
    """
    labels = labels_BHW.detach().cpu().numpy()
    found = np.zeros((len(labels), classes, *labels.shape[1:]), np.float32)
    for image, distances in zip(labels, found, strict=True):
        for k in range(classes):
            distances[k] = _to_boundary(image == (1 if classes == 1 else k), image != IGNORED)
    return torch.from_numpy(found).to(labels_BHW.device)


def _to_boundary(inside: NDArray[np.bool_], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    outside = counted & ~inside
    if not inside.any() or not outside.any():
        return np.zeros(inside.shape)
    to_inside, to_outside = (ndimage.distance_transform_edt(~side) for side in (inside, outside))
    return np.where(inside, 0.5 - to_outside, to_inside - 0.5)
