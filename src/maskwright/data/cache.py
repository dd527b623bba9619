"""The cache: images and labels decoded once, at working size, in one memory-mapped file each.

Crops are read from it without decoding anything; the operating system keeps in memory what fits. Where there is no room
for all, the first ones are kept and the others are decoded whenever they are needed: slower, with the same values.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.borders import border_weights, parted
from maskwright.data.index import Samples
from maskwright.data.learned_objects import LearnedObjects
from maskwright.data.moments import Moments, Scaling
from maskwright.data.parallel import ahead
from maskwright.data.preprocess import Preprocess
from maskwright.data.randomness import number
from maskwright.data.recent import Recent
from maskwright.data.room import demand_room, told_when_full
from maskwright.data.sample import Sample
from maskwright.data.unchanged import demand_the_same
from maskwright.errors import DataError
from maskwright.records import IGNORED, replacing

IN_MEMORY: Final = 256 << 20
"""Bytes of decoded images that each process keeps in memory, of those that are not in the cache."""
ABANDONED: Final = 3600.0
"""Seconds after which a file that was half written, or a cache that was not opened, is taken for one nobody wants."""


_PLACE: Final = re.compile(r"([0-9a-f]{16})-(\d+)")
_NAMES: Final = {"images.bin", "labels.bin", "weights.bin", "scalings.bin", "cache.json"}


@dataclass(frozen=True)
class Decoder:
    """Makes what the cache holds of a sample."""

    samples: Samples
    part: tuple[Sample, ...]
    preprocess: Preprocess
    borders: Mapping[str, Any] | None
    objects: LearnedObjects | None = None

    def __call__(self, i: int) -> list[NDArray[Any]]:
        """Image C h w, labels h w and, where pixels are weighted, weights h w float16, of the i-th sample; at the end,
        where images are normalised by their own, mean and standard deviation 2 C float64.
        """
        arrays = _decode(self, self.part[i])
        demand_the_same(self.samples, self.part[i])  # it was looked at some time ago
        return arrays

    @property
    def bytes_each(self) -> list[int]:
        """Bytes that each sample takes in the cache."""
        each = self.preprocess.channels * np.dtype(self.preprocess.dtype).itemsize + 1 + 2 * (self.borders is not None)
        sizes = (self.preprocess.working_size(sample.height, sample.width) for sample in self.part)
        return [height * width * each for height, width in sizes]

    def without(self, kept: int) -> "Decoder":
        """What is needed to decode the others than the first so many, and no more: this is sent to workers."""
        return replace(self, samples=self.samples.model_copy(update={"samples": ()}), part=self.part[kept:])


class Cache:
    """Decoded samples by position: `image(i)` C h w in the stored kind of value, `labels(i)` h w uint8, and where
    pixels are weighted `weights(i)` h w float16; where images are normalised by their own, `scaling(i)`.

    All are read-only. Of the first `kept` samples they are views of the files; nothing is copied until it is used.
    """

    def __init__(
        self,
        folder: Path,
        sizes: list[tuple[int, int]],
        channels: int,
        dtype: str,
        weighted: bool = False,
        others: Decoder | None = None,
        scaled: bool = False,
    ):
        self._made_of = (folder, sizes, channels, dtype, weighted, others, scaled)
        self.sizes = sizes
        self.kept = len(sizes) - (len(others.part) if others else 0)
        self._channels, self._weighted = channels, weighted
        self._starts = np.concatenate([[0], np.cumsum([h * w for h, w in sizes[: self.kept]])]).astype(int).tolist()
        self._images = self._mapped(folder / "images.bin", dtype)
        self._labels = self._mapped(folder / "labels.bin", np.uint8)
        self._weights = self._mapped(folder / "weights.bin", np.float16) if weighted else None
        self._scalings = self._mapped(folder / "scalings.bin", np.float64) if scaled else None
        self._others, self._recent = others, Recent(IN_MEMORY)

    def __reduce__(self) -> tuple[Any, ...]:
        # A loader's worker opens the files itself; a pickled memory map would be a copy of all the images.
        return Cache, self._made_of

    def __len__(self) -> int:
        return len(self.sizes)

    def image(self, i: int) -> NDArray[Any]:
        """The i-th image, C h w."""
        if i >= self.kept:
            return self._decoded(i)[0]
        start, stop = (self._channels * place for place in self._starts[i : i + 2])
        return self._images[start:stop].reshape(self._channels, *self.sizes[i])

    def labels(self, i: int) -> NDArray[np.uint8]:
        """The labels of the i-th image, h w."""
        if i >= self.kept:
            return self._decoded(i)[1]
        start, stop = self._starts[i : i + 2]
        return self._labels[start:stop].reshape(self.sizes[i])

    def weights(self, i: int) -> NDArray[np.float16] | None:
        """How much each pixel of the i-th image counts, h w; None where all count alike."""
        if self._weights is None:
            return None
        if i >= self.kept:
            return self._decoded(i)[2]
        start, stop = self._starts[i : i + 2]
        return self._weights[start:stop].reshape(self.sizes[i])

    def scaling(self, i: int) -> Scaling | None:
        """The mean and the standard deviation of the i-th image's own channels; None where the training's count."""
        if self._scalings is None:
            return None
        size = 2 * self._channels
        both = self._decoded(i)[-1] if i >= self.kept else self._scalings[i * size : (i + 1) * size]
        mean, std = both.reshape(2, self._channels).tolist()
        return tuple(mean), tuple(std)

    def _decoded(self, i: int) -> list[NDArray[Any]]:
        assert self._others is not None, "only what is not kept is asked for here"
        return self._recent.get(i - self.kept, self._others)

    def _mapped(self, path: Path, dtype: Any) -> NDArray[Any]:
        # A file of no bytes cannot be mapped.
        return np.memmap(path, dtype=dtype, mode="r") if self.kept else np.empty(0, dtype)


def build(
    folder: Path,
    samples: Samples,
    part: list[Sample],
    preprocess: Preprocess,
    *,
    borders: Mapping[str, Any] | None = None,
    objects: LearnedObjects | None = None,
    limit: int | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Cache:
    """The cache of these samples, made in `folder` or, if it lies there complete, opened.

    borders: how pixels between objects are weighted, as `border_weights` takes it; objects that touch are then parted
    in the labels too. None: all count alike, and no weights are kept.
    objects: what is learned of objects; labels then have one more for it, after those of the classes.
    limit: bytes that the files may take; None: as many as there are. The values are the same with any.
    progress: told how many samples of those that are kept are decoded.

    What is in a cache names its folder, and a half-made one has no `cache.json` yet; so several processes or machines
    may build at once: they write the same, each file whole or not at all.

    Raises:
        DataError: pixels are to be weighted by objects, and the classes know none.
        SettingError: the disk has not enough room.
    """
    decoder = Decoder(samples, tuple(part), preprocess, borders, objects)
    each = decoder.bytes_each
    wanted = len(part) if limit is None else sum(total <= limit for total in accumulate(each))
    shown = (f"{s.image} {s.content} {s.mask} {s.mask_content}" for s in part)
    key = number(
        preprocess.to_json(),
        samples.labels.learning(objects).to_json(),
        sorted(borders.items()) if borders is not None else "",
        *shown,
    )
    kept = _found(folder, key, wanted, decoder)
    if kept is None:
        _forget_others(folder, key, wanted)
        kept = wanted
        if kept:
            demand_room(folder, sum(each[:kept]))
        with told_when_full(folder):
            _fill(_place(folder, key, kept), decoder, kept, workers, progress)
    sizes = [preprocess.working_size(s.height, s.width) for s in part]
    others = decoder.without(kept) if kept < len(part) else None
    return Cache(
        _place(folder, key, kept), sizes, preprocess.channels, preprocess.dtype, borders is not None, others,
        preprocess.statistics == "image",
    )  # fmt: skip


def _place(folder: Path, key: int, kept: int) -> Path:
    return folder / f"{key:016x}-{kept}"


def _lengths(decoder: Decoder, kept: int) -> dict[str, int]:
    """Bytes of each file that holds so many samples."""
    pixels = sum(h * w for h, w in (decoder.preprocess.working_size(s.height, s.width) for s in decoder.part[:kept]))
    values = decoder.preprocess.channels * np.dtype(decoder.preprocess.dtype).itemsize
    lengths = {"images.bin": pixels * values, "labels.bin": pixels}
    if decoder.borders is not None:
        lengths["weights.bin"] = 2 * pixels
    if decoder.preprocess.statistics == "image":
        lengths["scalings.bin"] = kept * 2 * decoder.preprocess.channels * 8
    return lengths


def _found(folder: Path, key: int, wanted: int, decoder: Decoder) -> int | None:
    """How many samples are kept in a complete cache that lies there and will do; None if there is none."""
    for place in sorted(folder.glob(f"{key:016x}-*")):
        kept = int(place.name.rpartition("-")[2])
        # A little more room than there was before, as on a disk that others use, is no reason to decode all anew.
        if not (kept <= wanted <= 2 * kept) or not (place / "cache.json").is_file():
            continue
        with suppress(OSError, ValueError):
            said = json.loads((place / "cache.json").read_text("utf-8"))
            lengths = _lengths(decoder, kept)
            if said == {"key": key} and all((place / name).stat().st_size == lengths[name] for name in lengths):
                for name in _NAMES & {path.name for path in place.iterdir()}:
                    os.utime(place / name)  # it is wanted
                return kept
    return None


def _forget_others(folder: Path, key: int, wanted: int) -> None:
    """Remove caches of other samples or settings, those that take more than they may, and what a killed builder left;
    but none that was made or opened in the last hour, as another process may be about to read it.

    Nothing is removed but files that a cache has, in folders that are called as one.
    """
    then = time.time() - ABANDONED
    for place in folder.iterdir() if folder.is_dir() else []:
        if not (name := _PLACE.fullmatch(place.name)):
            continue
        stale = name[1] != f"{key:016x}" or int(name[2]) > wanted
        inside = list(place.iterdir())
        for path in inside:
            half = path.name.startswith(".") and path.suffix in (".bin", ".json")
            with suppress(OSError):  # another process may have done it
                if (half or (stale and path.name in _NAMES)) and path.stat().st_mtime < then:
                    path.unlink()
        with suppress(OSError):
            # One that another process has just made is empty for a moment.
            if stale and (inside or place.stat().st_mtime < then):
                place.rmdir()


def _fill(place: Path, decoder: Decoder, kept: int, workers: int, progress: Callable[[int, int], None] | None) -> None:
    (place / "cache.json").unlink(missing_ok=True)
    with ExitStack() as stack:
        # Replaced, not overwritten: whoever still has the old files mapped keeps them.
        files = [stack.enter_context(replacing(place / name)) for name in _lengths(decoder, kept)]
        opened = [stack.enter_context(file.open("wb")) for file in files]
        for done, arrays in enumerate(ahead(decoder, range(kept), workers), start=1):
            for array, file in zip(arrays, opened, strict=True):
                file.write(array.tobytes())
            if progress:
                progress(done, kept)
    with replacing(place / "cache.json") as temporary:
        temporary.write_text(json.dumps({"key": int(place.name.split("-")[0], 16)}), "utf-8")


def _decode(decoder: Decoder, sample: Sample) -> list[NDArray[Any]]:
    """What `Decoder` gives: what each file of the cache gets."""
    samples, preprocess, borders = decoder.samples, decoder.preprocess, decoder.borders
    image_Chw = preprocess.resize(preprocess.to_channels(samples.image(sample), sample.image)).numpy()
    if preprocess.dtype != "float32":
        image_Chw = np.rint(image_Chw)
    labels_hw = preprocess.resize_labels(samples.labels_of(sample))
    assert image_Chw.shape[1:] == labels_hw.shape
    arrays = [image_Chw.astype(preprocess.dtype), labels_hw]
    if decoder.objects is not None:
        if (objects_HW := samples.told_objects(sample)) is None:
            raise DataError(
                f"{decoder.objects.name.capitalize()}s are to be learned (objects={decoder.objects.kind}), but "
                f"{sample.mask_shown} does not tell one object from another, as other masks do. Number its objects, or "
                f"leave it out with --skip {sample.name}."
            )
        arrays[1] = samples.labels.learning(decoder.objects).taught(labels_hw, preprocess.resize_labels(objects_HW))
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
    if preprocess.statistics == "image":
        arrays.append(_scaling_of(samples, preprocess, sample, image_Chw))
    return arrays


def _scaling_of(
    samples: Samples, preprocess: Preprocess, sample: Sample, image_Chw: NDArray[Any]
) -> NDArray[np.float64]:
    """Mean and standard deviation, 2 C, of the pixels that hold data."""
    values_NC = np.moveaxis(image_Chw, 0, 2).reshape(-1, len(image_Chw))
    if (missing_HW := sample.missing_in(Path(samples.root))) is not None:
        values_NC = values_NC[~preprocess.resize_labels(missing_HW).ravel()]
    return np.array(Moments.of(values_NC).scaling)
