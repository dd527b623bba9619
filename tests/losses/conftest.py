import numpy as np
import pytest
import torch

from maskwright.records import IGNORED


@pytest.fixture(scope="session")
def batch():
    """Random logits B K H W and labels B H W, a fifth of them ignored, by seed."""

    def painted(seed, classes, channels=None, size=(2, 5, 4)):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, size)
        labels[rng.random(size) < 0.2] = IGNORED
        logits = rng.normal(size=(size[0], channels or classes, *size[1:])) * 3
        return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)

    return painted
