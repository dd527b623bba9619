"""The cache: images and labels decoded once, at working size, in one memory-mapped file each.

Crops are read from it without decoding anything; the operating system keeps in memory what fits.
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data.borders import border_weights, parted
from maskwright.data.preprocess import Preprocess
from maskwright.data.randomness import number
from maskwright.data.sample import Sample, Samples
from maskwright.errors import DataError
from maskwright.records import IGNORED, replacing


class Cache:
    """Decoded samples by position: `image(i)` C h w in the stored kind of value, `labels(i)` h w uint8, and where
    pixels are weighted `weights(i)` h w float16.

    All are read-only views of the files; nothing is copied until it is used.
    """

    def __init__(self, folder: Path, sizes: list[tuple[int, int]], channels: int, dtype: str, weighted: bool = False):
        self._made_of = (folder, sizes, channels, dtype, weighted)
        self.sizes = sizes
        self._channels = channels
        self._starts = np.concatenate([[0], np.cumsum([h * w for h, w in sizes])]).tolist()
        self._images = np.memmap(folder / "images.bin", dtype=dtype, mode="r")
        self._labels = np.memmap(folder / "labels.bin", dtype=np.uint8, mode="r")
        self._weights = np.memmap(folder / "weights.bin", dtype=np.float16, mode="r") if weighted else None

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

    def weights(self, i: int) -> NDArray[np.float16] | None:
        """How much each pixel of the i-th image counts, h w; None where all count alike."""
        if self._weights is None:
            return None
        start, stop = self._starts[i : i + 2]
        return self._weights[start:stop].reshape(self.sizes[i])


def build(
    folder: Path,
    samples: Samples,
    part: list[Sample],
    preprocess: Preprocess,
    *,
    borders: Mapping[str, Any] | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Cache:
    """The cache of these samples, made in `folder` or, if it lies there complete, opened.

    borders: how pixels between objects are weighted, as `border_weights` takes it; objects that touch are then parted
    in the labels too. None: all count alike, and no weights are kept.
    A half-made cache has no `cache.json` yet and is made again.

    Raises:
        DataError: pixels are to be weighted by objects, and the classes know none.
    """
    sizes = [preprocess.working_size(s.height, s.width) for s in part]
    about = folder / "cache.json"
    shown = (f"{s.image} {s.content} {s.mask} {s.mask_content}" for s in part)
    key = number(
        preprocess.to_json(), samples.labels.to_json(), sorted(borders.items()) if borders is not None else "", *shown
    )
    pixels = sum(height * width for height, width in sizes)
    lengths = {"images.bin": pixels * preprocess.channels * np.dtype(preprocess.dtype).itemsize, "labels.bin": pixels}
    if borders is not None:
        lengths["weights.bin"] = 2 * pixels
    if not _complete(folder, key, lengths):
        folder.mkdir(parents=True, exist_ok=True)
        about.unlink(missing_ok=True)
        decode = partial(_decode, samples, preprocess, borders)
        _fill(folder, list(lengths), decode, part, workers, progress)
        with replacing(about) as temporary:
            temporary.write_text(json.dumps({"key": key}), "utf-8")
    return Cache(folder, sizes, preprocess.channels, preprocess.dtype, weighted=borders is not None)


def _complete(folder: Path, key: int, lengths: dict[str, int]) -> bool:
    """Whether a cache with that key lies there, its files as long as they must be."""
    try:
        said = json.loads((folder / "cache.json").read_text("utf-8"))
        return said == {"key": key} and all((folder / name).stat().st_size == lengths[name] for name in lengths)
    except (OSError, ValueError):
        return False


def _fill(
    folder: Path,
    names: list[str],
    decode: Callable[[Sample], list[NDArray[Any]]],
    part: list[Sample],
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    with ExitStack() as stack:
        # Replaced, not overwritten: whoever still has the old files mapped keeps them.
        files = [stack.enter_context(replacing(folder / name)) for name in names]
        opened = [stack.enter_context(file.open("wb")) for file in files]
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        # In small groups: `map` alone would decode everything before the first is written.
        for first in range(0, len(part), group := 4 * workers):
            for at, arrays in enumerate(pool.map(decode, part[first : first + group]), first):
                for array, file in zip(arrays, opened, strict=True):
                    array.tofile(file)
                if progress:
                    progress(at + 1, len(part))


def _decode(
    samples: Samples, preprocess: Preprocess, borders: Mapping[str, Any] | None, sample: Sample
) -> list[NDArray[Any]]:
    """Image C h w, labels h w and, where pixels are weighted, weights h w: what each file of the cache gets."""
    image_Chw = preprocess.resize(preprocess.to_channels(samples.image(sample), sample.image)).numpy()
    if preprocess.dtype != "float32":
        image_Chw = np.rint(image_Chw)
    labels_hw = preprocess.resize_labels(samples.labels_of(sample))
    assert image_Chw.shape[1:] == labels_hw.shape
    arrays = [image_Chw.astype(preprocess.dtype), labels_hw]
    if borders is not None:
        objects_HW = samples.objects_of(sample)
        if objects_HW is None:
            raise DataError(
                f"Borders between objects are to weigh more (loss.border), but {', '.join(samples.labels.names)} are "
                "no objects on a background. Set loss.border=null, or have two classes."
            )
        together = preprocess.resize_labels(objects_HW)
        apart = parted(together)
        arrays[1] = np.where((together > 0) & (apart == 0), np.uint8(samples.labels.background or 0), labels_hw)
        arrays.append(border_weights(apart, **borders, ignored_HW=labels_hw == IGNORED).astype(np.float16))
    return arrays
