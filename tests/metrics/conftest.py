"""Pictures written as text, and results of them."""

import numpy as np
import pytest

from maskwright.metrics import ImageResult


@pytest.fixture(scope="session")
def mask():
    """A mask from rows of text: `#` is foreground, anything else is not."""
    return lambda *rows: np.array([[mark == "#" for mark in row] for row in rows])


@pytest.fixture(scope="session")
def result():
    """A result from two masks, or from a true mask and the probability of foreground."""

    def result(true_HW, said_HW, objects_HW=None, found_HW=None):
        share_HW = np.asarray(said_HW)
        certain = share_HW.dtype.kind != "f"
        probabilities = None if certain else np.stack([1 - share_HW, share_HW]).astype(np.float32)
        labels = (share_HW > 0 if certain else share_HW > 0.5).astype(np.uint8)
        return ImageResult(labels, np.asarray(true_HW, np.uint8), probabilities, objects_HW, found_HW)

    return result
