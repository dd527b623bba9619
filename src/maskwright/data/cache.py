"""The cache: images and labels decoded once, at working size, in one memory-mapped file each.

Crops are read from it without decoding anything; the operating system keeps in memory what fits.
"""

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data.index import Samples
from maskwright.data.preprocess import Preprocess
from maskwright.data.randomness import number
from maskwright.data.sample import Sample
from maskwright.records import replacing


class Cache:
    """Decoded samples by position: `image(i)` C h w in the stored kind of value, `labels(i)` h w uint8.

    Both are read-only views of the files; nothing is copied until it is used.
    """

    def __init__(self, folder: Path, sizes: list[tuple[int, int]], channels: int, dtype: str):
        self._made_of = (folder, sizes, channels, dtype)
        self.sizes = sizes
        self._channels = channels
        self._starts = np.concatenate([[0], np.cumsum([h * w for h, w in sizes])]).tolist()
        self._images = np.memmap(folder / "images.bin", dtype=dtype, mode="r")
        self._labels = np.memmap(folder / "labels.bin", dtype=np.uint8, mode="r")

    def __reduce__(self) -> tuple[Any, ...]:
        # A loader's worker opens the files itself; a pickled memory map would be a copy of all the images.
        return Cache, self._made_of

    def __len__(self) -> int:
        return len(self.sizes)

    def image(self, i: int) -> NDArray[Any]:
        """The i-th image, C h w."""
        start, stop = (self._channels * place for place in self._starts[i : i + 2])
        return self._images[start:stop].reshape(self._channels, *self.sizes[i])

    def labels(self, i: int) -> NDArray[np.uint8]:
        """The labels of the i-th image, h w."""
        start, stop = self._starts[i : i + 2]
        return self._labels[start:stop].reshape(self.sizes[i])


def build(
    folder: Path,
    samples: Samples,
    part: list[Sample],
    preprocess: Preprocess,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Cache:
    """The cache of these samples, made in `folder` or, if it lies there complete, opened.

    A half-made cache has no `cache.json` yet and is made again.
    """
    sizes = [preprocess.working_size(s.height, s.width) for s in part]
    about = folder / "cache.json"
    shown = (f"{s.image} {s.content} {s.mask} {s.mask_content}" for s in part)
    key = number(preprocess.to_json(), samples.labels.to_json(), *shown)
    pixels = sum(height * width for height, width in sizes)
    lengths = {"images.bin": pixels * preprocess.channels * np.dtype(preprocess.dtype).itemsize, "labels.bin": pixels}
    if not _complete(folder, key, lengths):
        folder.mkdir(parents=True, exist_ok=True)
        about.unlink(missing_ok=True)
        _fill(folder, samples, part, preprocess, sizes, workers, progress)
        with replacing(about) as temporary:
            temporary.write_text(json.dumps({"key": key}), "utf-8")
    return Cache(folder, sizes, preprocess.channels, preprocess.dtype)


def _complete(folder: Path, key: int, lengths: dict[str, int]) -> bool:
    """Whether a cache with that key lies there, its files as long as they must be."""
    try:
        said = json.loads((folder / "cache.json").read_text("utf-8"))
        return said == {"key": key} and all((folder / name).stat().st_size == lengths[name] for name in lengths)
    except (OSError, ValueError):
        return False


def _fill(
    folder: Path,
    samples: Samples,
    part: list[Sample],
    preprocess: Preprocess,
    sizes: list[tuple[int, int]],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    decode = partial(_decode, samples, preprocess)
    # Replaced, not overwritten: whoever still has the old files mapped keeps them.
    with (
        replacing(folder / "images.bin") as images_bin,
        replacing(folder / "labels.bin") as labels_bin,
        images_bin.open("wb") as images,
        labels_bin.open("wb") as labels,
        ThreadPoolExecutor(workers) as pool,
    ):
        # In small groups: `map` alone would decode everything before the first is written.
        for first in range(0, len(part), group := 4 * workers):
            for at, (image_Chw, labels_hw) in enumerate(pool.map(decode, part[first : first + group]), first):
                assert image_Chw.size == preprocess.channels * math.prod(sizes[at])
                image_Chw.tofile(images)
                labels_hw.tofile(labels)
                if progress:
                    progress(at + 1, len(part))


def _decode(samples: Samples, preprocess: Preprocess, sample: Sample) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    image_Chw = preprocess.resize(preprocess.to_channels(samples.image(sample), sample.image)).numpy()
    if preprocess.dtype != "float32":
        image_Chw = np.rint(image_Chw)
    return image_Chw.astype(preprocess.dtype), preprocess.resize_labels(samples.labels_of(sample))
