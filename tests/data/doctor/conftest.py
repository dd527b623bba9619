"""Painted scenes that a doctor finds healthy, and what makes them ill."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from maskwright.data.doctor import Finding, checks, diagnose
from maskwright.data.survey import Asked, Survey, survey

Array = np.ndarray[Any, Any]


def scene(seed: int, size: tuple[int, int] = (96, 120)) -> tuple[Array, Array]:
    """An image of bright discs on a background of its own, 0 to 255 in floats, and the objects, one number a disc."""
    rng = np.random.default_rng([7, seed])
    ground = ndimage.gaussian_filter(rng.normal(size=size), 6)
    image = 90 + 30 * ground / ground.std() + rng.normal(0, 3, size)
    y, x = np.mgrid[: size[0], : size[1]]
    objects = np.zeros(size, np.int32)
    for number in range(1, 5):
        row, column = rng.uniform(0.1, 0.9, 2) * size
        disc = (np.hypot(y - row, x - column) < rng.uniform(7, 14)) & (objects == 0)
        objects[disc] = number
        image[disc] += 70 + 10 * number
    return np.clip(image, 0, 255), objects


class Clinic:
    """A folder of scenes that can be spoilt file by file, and what the doctor says of it."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, name: str, array: Array, **options: Any) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".tif":
            bands = array.ndim == 3
            kind = "rgb" if bands and array.shape[2] == 3 else "minisblack"
            tifffile.imwrite(path, array, photometric=kind, planarconfig="contig" if bands else None)
        else:
            Image.fromarray(array).save(path, **options)
        return path

    def pair(self, name: str, image: Array, mask: Array, part: str = "", ending: str = "png") -> None:
        folder = f"{part}/" if part else ""
        self.write(f"{folder}images/{name}.{ending}", image)
        self.write(f"{folder}masks/{name}.png", mask)

    def healthy(self, count: int = 16, first: int = 0, part: str = "", size: tuple[int, int] = (96, 120)) -> "Clinic":
        for seed in range(first, first + count):
            image, objects = scene(seed, size)
            self.pair(f"img_{seed:03}", image.astype(np.uint8), np.where(objects, 255, 0).astype(np.uint8), part)
        return self

    def survey(self, **asked: Any) -> Survey:
        return survey(self.root, Asked(**asked))

    def findings(self, check: str | None = None, **asked: Any) -> dict[str, Finding]:
        """What one check says, or all, by code."""
        found = self.survey(**asked)
        told = list(checks[check](found)) if check else diagnose(found)
        assert len({finding.code for finding in told}) == len(told), "a code is told twice"
        return {finding.code: finding for finding in told}


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "data")


@pytest.fixture(scope="session")
def paint_scene() -> Callable[..., tuple[Array, Array]]:
    return scene
