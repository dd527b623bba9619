"""The mirror: what lies beyond an image's border, said once for crops, warps and tiles."""

import numpy as np
from numpy.typing import NDArray


def mirror_indices(start: int, stop: int, size: int) -> NDArray[np.int64]:
    """For coordinates start … stop-1 the pixel 0 … size-1 they mirror to, the border pixel not repeated.

    >>> mirror_indices(-2, 5, 3).tolist()
    [2, 1, 0, 1, 2, 1, 0]
    """
    period = max(1, 2 * (size - 1))
    folded = np.arange(start, stop) % period
    return np.where(folded < size, folded, period - folded)
