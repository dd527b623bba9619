"""Painted data sets: pictures written by Pillow and tifffile, not by the code under test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.data.sample import Sample


class Painter:
    """Writes pictures and texts into one folder; unless told otherwise, pictures are 8 × 10."""

    def __init__(self, root: Path):
        self.root = root

    def image(self, *shape: int, dtype: str = "uint8") -> np.ndarray[Any, Any]:
        """A picture in which no two places are alike; another one each time a file is added."""
        rng = np.random.default_rng([len(list(self.root.rglob("*"))), *shape])
        if dtype == "float32":
            return rng.normal(size=shape or (8, 10)).astype(np.float32)
        return rng.integers(0, np.iinfo(dtype).max, shape or (8, 10), dtype, endpoint=True)

    def mask(self, *values: int, size: tuple[int, int] = (8, 10), dtype: str = "uint8") -> np.ndarray[Any, Any]:
        """A mask of these values (0 and 255) in columns."""
        chosen = np.array(values or (0, 255), dtype)
        return np.ascontiguousarray(np.broadcast_to(chosen[np.arange(size[1]) * len(chosen) // size[1]], size))

    def write(self, name: str, content: np.ndarray[Any, Any] | str | bytes) -> Path:
        """One file of the folder, its format by its ending."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        elif path.suffix.lower() in {".tif", ".tiff"}:
            tifffile.imwrite(path, content, photometric="rgb" if content.ndim == 3 else "minisblack")
        else:
            Image.fromarray(content).save(path)
        return path

    def images(self, *names: str, **options: Any) -> Path:
        """A picture a name; returns the folder."""
        for name in names:
            self.write(name, self.image(**options))
        return self.root

    def masks(self, *names: str) -> Path:
        """A mask of 0 and 255 a name; returns the folder."""
        for name in names:
            self.write(name, self.mask())
        return self.root

    def pairs(self, contents: Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> Path:
        """`images/NAME` and `masks/NAME`, with the ending .png unless the name has one; returns the folder."""
        for name, (image, mask) in contents.items():
            file = name if "." in name else f"{name}.png"
            self.write(f"images/{file}", image)
            self.write(f"masks/{Path(file).stem}.png", mask)
        return self.root


@pytest.fixture
def paint(tmp_path: Path) -> Painter:
    (tmp_path / "data").mkdir()
    return Painter(tmp_path / "data")


@pytest.fixture(scope="session")
def bare_sample():
    """A maker of samples without pictures, by the image's path; each argument given sets a field."""

    def make(image: str, **given: Any) -> Sample:
        plain = {
            "name": Path(image).stem, "image": image, "mask": "m.png", "split": None, "content": image,
            "height": 8, "width": 10, "channels": 1, "dtype": "uint8", "low": 0, "high": 1, "mean": (0,), "std": (1,),
        }  # fmt: skip
        return Sample.read(plain | given)

    return make
