"""Painted textures, and a small network that looks at them."""

import numpy as np
import pytest
import torch

from maskwright.data.preprocess import Preprocess
from maskwright.files import ArrayScene
from maskwright.model import UNet


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(0)
    return UNet(in_channels=3, classes=2, depth=2, base=4).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def preprocess():
    return Preprocess(channels=3, dtype="uint8", mean=(90.0, 110.0, 140.0), std=(25.0, 30.0, 35.0))


@pytest.fixture(scope="session")
def paint():
    """A painter of blotchy bluish images, H W 3 uint8, about 8 pixels a blotch."""

    def painted(seed, size=(150, 170), blotch=8):
        rng = np.random.default_rng(seed)
        coarse = rng.normal(0, 1, [n // blotch + 2 for n in size])
        grey = np.kron(coarse, np.ones((blotch, blotch)))[: size[0], : size[1]] + rng.normal(0, 0.3, size)
        return np.clip(np.stack([90 + 22 * grey, 110 + 28 * grey, 140 + 33 * grey], axis=2), 0, 255).astype(np.uint8)

    return painted


@pytest.fixture(scope="session")
def scenes(paint):
    def of(seeds):
        return [ArrayScene(paint(seed)) for seed in seeds]

    return of
