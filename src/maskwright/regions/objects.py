"""Objects: single things of a class, numbered. Shapes: H W the picture, N objects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.files import Plane


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a picture, 1 … N in the order in which a reader meets their first pixel."""

    ids: Plane
    """H W int32: the object's number, 0 where there is none."""
    labels: NDArray[np.uint8]
    """N: the label of each one's class; object n stands at n - 1."""
    boxes: NDArray[np.int64]
    """N 4: top, left, bottom, right; the last two are the first row and column outside."""
    areas: NDArray[np.int64]
    """N: pixels."""
