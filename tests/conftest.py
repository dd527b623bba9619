"""What tests of several rooms share."""

from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# No time limit for one example: the machine may be busy with something else.
settings.register_profile("maskwright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("maskwright")


@pytest.fixture(scope="session")
def records():
    """A strategy for small network records; each argument given to it narrows a setting. Draw from it."""
    from maskwright.model import UNetRecord

    def draw(**given):
        padding = given.pop("padding", None) or st.sampled_from(["same", "valid"])
        choices = {
            "in_channels": st.just(1),
            "classes": st.integers(1, 3),
            "depth": st.integers(1, 3),
            "base": st.just(2),
            "convolutions": st.integers(1, 2),
            "decoder_convolutions": st.sampled_from([None, 1, 2]),
            "stem": st.sampled_from([1, 2, 4]),
            "block": st.sampled_from(["plain", "residual"]),
            "norm": st.sampled_from(["batch", "instance", "group", "none"]),
            "down": st.sampled_from(["max", "strided"]),
            "up": st.sampled_from(["transposed", "bilinear"]),
            "init": st.just("torch"),  # the other one starts with a head near zero: nothing to compare
        }
        choices |= {name: value if hasattr(value, "filter") else st.just(value) for name, value in given.items()}

        def built(values):
            values["stem"] = 1 if values["padding"] == "valid" else values["stem"]
            return UNetRecord(**values)

        padding = padding if hasattr(padding, "filter") else st.just(padding)
        return st.fixed_dictionaries({**choices, "padding": padding}).map(built)

    return draw


@pytest.fixture(scope="session")
def paint_blobs():
    """A painter of small folders: images/ with bright discs on noise, masks/ with 255 where a disc is."""
    import numpy as np
    from PIL import Image

    def paint(folder, count=8, size=(48, 40), seed=0):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[: size[0], : size[1]]
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            middles = rng.uniform(0.2, 0.8, (3, 2)) * size
            mask = np.any([np.hypot(y - a, x - b) < size[0] / 7 for a, b in middles], axis=0)
            image = np.clip(60 + 90 * mask + rng.normal(0, 25, size), 0, 255)
            Image.fromarray(image.astype(np.uint8)).save(folder / "images" / f"img_{i:02d}.png")
            Image.fromarray((mask * 255).astype(np.uint8)).save(folder / "masks" / f"img_{i:02d}.png")
        return folder

    return paint


@pytest.fixture
def blobs(paint_blobs, tmp_path):
    """The painter, with a folder of its own."""
    return lambda **options: paint_blobs(tmp_path / "blobs", **options)


@pytest.fixture(scope="session")
def tiny():
    """Settings of a plan that trains in a moment."""
    return MappingProxyType(
        {
            "model.stem": 1,
            "model.depth": 2,
            "model.base": 8,
            "optimizer.lr": 0.02,
            "optimizer.side_lr": 0.01,
            "sampling.crop": [32, 32],
            "sampling.batch": 2,
            "validation.times": 3,
        }
    )
