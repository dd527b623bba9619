"""Training crops by step: what a step sees is a pure function of (seed, step), whoever reads it and whenever."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from torch import Tensor
from torch.utils.data import Dataset

from maskwright.data.augment import Augment, Moves, change_light, draw_moves, warp
from maskwright.data.cache import Cache
from maskwright.data.preprocess import Preprocess
from maskwright.data.randomness import draw
from maskwright.mirror import mirror_indices
from maskwright.records import IGNORED, Record


class Sampling(Record):
    """What a step of training looks at."""

    crop: tuple[PositiveInt, PositiveInt]
    """Height and width of a crop, in working pixels."""
    batch: int = Field(gt=0)
    """Crops a step."""
    crops_per_image: int = Field(1, gt=0)
    """Crops that an epoch takes from each image."""
    rare: float = Field(0.0, ge=0, le=1)
    """Share of crops around a pixel of one of the image's classes, each but its largest as likely; nnU-Net's is 1/3
    (Isensee et al. 2021). The others lie anywhere."""


@dataclass(frozen=True)
class Batch:
    """Sources around the crops, B C H W as stored, their labels B H W, and what is to be done to them."""

    step: int
    numbers: tuple[int, ...]
    """The crops' numbers, counted over all steps: what each crop is, is a function of the seed and its number alone."""
    images: Tensor
    labels: Tensor
    weights: Tensor | None
    """B H W float16: how much each pixel counts; None: all alike."""
    moves: Moves
    scaling: Tensor | None = None
    """2 B C: mean and standard deviation of each crop's image; None: those of the training."""

    def pin_memory(self) -> "Batch":
        """The same in page-locked memory, from where a GPU copies while it computes."""
        weights = None if self.weights is None else self.weights.pin_memory()
        return replace(self, images=self.images.pin_memory(), labels=self.labels.pin_memory(), weights=weights)


class Crops(Dataset[Batch]):
    """`crops[step]` is the batch of that step. Every image is seen once an epoch and crop, in an order of its own.

    margin: pixels that the network loses on each side. What it answers for then lies inside the image, and the crop
    reaches over the image's border, where it is mirrored: so every pixel is learnt from.
    share: (i, n): of each step only the i-th of n parts, which one after the other are the step.
    """

    def __init__(
        self,
        cache: Cache,
        sampling: Sampling,
        augment: Augment,
        seed: int,
        channels: int,
        margin: int = 0,
        share: tuple[int, int] = (0, 1),
    ):
        self.cache, self.sampling, self.augment, self.seed, self.channels = cache, sampling, augment, seed, channels
        self.margin, self.share = margin, share
        # No image is larger than the largest, so no source need be; what lies outside is mirrored by the warp.
        largest = [max(size[side] for size in cache.sizes) for side in (0, 1)]
        needed = augment.source_size(sampling.crop)
        self.source = tuple(
            max(crop, min(most, need)) for crop, most, need in zip(sampling.crop, largest, needed, strict=True)
        )

    @property
    def steps_per_epoch(self) -> int:
        """Steps after which every image has been seen `crops_per_image` times, rounded up."""
        return max(1, -(-len(self.cache) * self.sampling.crops_per_image // self.sampling.batch))

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step, from 0; a last batch of an epoch runs on into the next."""
        numbers = range(step * self.sampling.batch, (step + 1) * self.sampling.batch)
        return self.some(step, part_of(numbers, *self.share))

    def some(self, step: int, numbers: Sequence[int]) -> Batch:
        """The crops with these numbers."""
        sources = [self._source(number) for number in numbers]
        moves = draw_moves(self.augment, self.seed, numbers, self.channels, np.array([s.offset for s in sources]))
        images, labels = (torch.from_numpy(np.stack(part)) for part in zip(*(s.pixels for s in sources), strict=True))
        weights = [s.weights for s in sources if s.weights is not None]
        weighed = torch.from_numpy(np.stack(weights)) if weights else None
        scalings = [one for n in numbers if (one := self.cache.scaling(self._image(n))) is not None]
        scaling = torch.tensor(scalings, dtype=torch.float64).transpose(0, 1) if scalings else None
        return Batch(step, tuple(numbers), images, labels, weighed, moves, scaling)

    def images_of(self, step: int) -> list[int]:
        """The images that the batch of a step is cut from, by their places in the cache."""
        return [self._image(number) for number in range(step * self.sampling.batch, (step + 1) * self.sampling.batch)]

    def _image(self, number: int) -> int:
        """The image that the crop with that number is cut from."""
        epoch, place = divmod(number, len(self.cache) * self.sampling.crops_per_image)
        return int(_order(self.seed, epoch, len(self.cache), self.sampling.crops_per_image)[place])

    def _source(self, number: int) -> "_Source":
        """The source of the crop with that number."""
        i = self._image(number)
        rng = draw(self.seed, "crop", number)
        at = rng.random(2)
        inner = [n - 2 * self.margin for n in self.sampling.crop]
        if self.sampling.rare and rng.random() < self.sampling.rare:
            at = _around_rare(self.cache.labels(i), inner, rng, at)
        sides = zip(at.tolist(), inner, self.source, self.cache.sizes[i], strict=True)
        (rows, dy), (columns, dx) = (_span(*side) for side in sides)
        weights = self.cache.weights(i)
        return _Source(
            pixels=(
                _taken(self.cache.image(i), rows, columns),
                _taken_inside(self.cache.labels(i), rows, columns, IGNORED),
            ),
            weights=None if weights is None else _taken_inside(weights, rows, columns, 0),
            offset=(dx, dy),
        )


def part_of(whole: range, i: int, n: int) -> range:
    """The i-th of n parts, from 0, of nearly equal length; one after the other they are the whole."""
    return whole[i * len(whole) // n : (i + 1) * len(whole) // n]


@dataclass(frozen=True)
class _Source:
    """What lies around a crop: image C H W and labels H W, weights H W, and where in it, (x, y) from its middle, the
    crop's middle lies.
    """

    pixels: tuple[NDArray[np.generic], NDArray[np.generic]]
    weights: NDArray[np.generic] | None
    offset: tuple[float, float]


class Finish:
    """The second half of a batch, on the training device: warp, normalise, change light."""

    def __init__(self, sampling: Sampling, preprocess: Preprocess):
        self.sampling, self.preprocess = sampling, preprocess

    def __call__(self, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
        """Crops B C h w float32 as the network sees them, their labels B h w uint8, and their pixel weights, if any."""
        mean, std = (self.preprocess.mean, self.preprocess.std) if batch.scaling is None else batch.scaling
        moves = batch.moves.of_stored(mean, std).to(device)
        images, labels = (part.to(device, non_blocking=True) for part in (batch.images, batch.labels))
        weights = None if batch.weights is None else batch.weights.to(device, non_blocking=True)
        images, labels, weights = warp(_as_float(images), labels, moves, self.sampling.crop, weights)
        return change_light(images, moves), labels, weights


def _as_float(images: Tensor) -> Tensor:
    # torch has uint16 but few operations for it; int32 reads the same values.
    return images.to(torch.int32).float() if images.dtype == torch.uint16 else images.float()


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, images: int, times: int) -> NDArray[np.int64]:
    """The order of an epoch: every image before any comes again."""
    rng = draw(seed, "order", epoch)
    return np.concatenate([rng.permutation(images) for _ in range(times)])


def _around_rare(
    labels_HW: NDArray[np.uint8], crop: list[int], rng: np.random.Generator, at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where a crop lies, 0 … 1 of its room, if its middle is a pixel of a class that is not the image's largest; or
    `at`, if there is one class only.
    """
    counts = np.bincount(labels_HW.ravel(), minlength=IGNORED + 1)[:IGNORED]
    counts[counts.argmax()] = 0
    classes = np.flatnonzero(counts)
    if not len(classes):
        return at
    chosen = classes[rng.integers(len(classes))]
    place = np.flatnonzero(labels_HW.ravel() == chosen)[rng.integers(counts[chosen])]
    middle = np.array(divmod(int(place), labels_HW.shape[1]))
    room = np.maximum(1, np.array(labels_HW.shape) - crop)
    return np.clip((middle - np.array(crop) // 2) / room, 0.0, 1.0)


def _span(at: float, crop: int, source: int, size: int) -> tuple[tuple[int, int], float]:
    """Where the source starts and stops in the image, and how far from its middle the crop's middle lies.

    The crop lies inside the image if it can, and so does the source, even where the crop is then off its middle.
    """
    room = size - crop
    middle = (round(at * room) if room > 0 else room // 2) + crop / 2
    first = int(middle - source / 2)
    first = min(max(first, 0), size - source) if size >= source else -((source - size) // 2)
    return (first, first + source), middle - (first + source / 2)


def _taken(image_CHW: NDArray[np.generic], rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.generic]:
    """Those rows and columns of the image, mirrored where they lie outside."""
    height, width = image_CHW.shape[1:]
    if rows[0] >= 0 and columns[0] >= 0 and rows[1] <= height and columns[1] <= width:
        return image_CHW[:, slice(*rows), slice(*columns)]
    y, x = (mirror_indices(*span, n) for span, n in ((rows, height), (columns, width)))
    return image_CHW[:, y[:, None], x]


def _taken_inside(
    values_HW: NDArray[np.generic], rows: tuple[int, int], columns: tuple[int, int], outside: int
) -> NDArray[np.generic]:
    """Those rows and columns of labels or weights, and `outside` where they lie outside."""
    height, width = values_HW.shape
    out = np.full((rows[1] - rows[0], columns[1] - columns[0]), outside, values_HW.dtype)
    y, x = (slice(max(0, a), min(n, b)) for (a, b), n in ((rows, height), (columns, width)))
    out[y.start - rows[0] : y.stop - rows[0], x.start - columns[0] : x.stop - columns[0]] = values_HW[y, x]
    return out
