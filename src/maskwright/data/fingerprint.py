"""The fingerprint: what the training part of a data set is like, in numbers. The plan follows from it."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from maskwright.data.sample import Sample, Samples
from maskwright.data.shapes import thickness
from maskwright.data.touching import Touching, touching
from maskwright.errors import DataError
from maskwright.records import IGNORED, Record


class Fingerprint(Record):
    """Numbers of a data set; those of pixels are over the labelled training images."""

    train: int
    val: int
    test: int
    """Labelled images of each part."""
    channels: int
    dtype: str
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    """Height and width."""
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of the values as stored."""
    classes: tuple[str, ...]
    pixel_share: tuple[float, ...]
    """Of the pixels that count, a number a class."""
    image_share: tuple[float, ...]
    """Of the images, those that show the class."""
    ignored_share: float
    """Of all pixels."""
    thickness: tuple[float | None, ...] = ()
    """Of each class's structures, in pixels: the width of a strip with as much area and border. From some training
    masks; None: in none of them."""
    objects: Touching | None = None
    """How many objects touch another one, where the masks tell objects apart."""

    @property
    def absent(self) -> list[str]:
        """Classes without a single training pixel."""
        return [name for name, share in zip(self.classes, self.pixel_share, strict=True) if not share]


def fingerprint(samples: Samples) -> Fingerprint:
    """The data set's fingerprint.

    Raises:
        DataError: images of 8 and 16 bit, or of unlike kinds, are mixed; names one.
    """
    dtype, channels = kind_of_values(samples)
    train = samples.part("train")
    heights, widths = [s.height for s in train], [s.width for s in train]
    pixels_N = np.array([s.height * s.width for s in train], float)
    mean_NC = np.array([_spread(s.mean, channels) for s in train])
    power_NC = np.array([_spread(s.std, channels) for s in train]) ** 2 + mean_NC**2
    mean_C = np.average(mean_NC, axis=0, weights=pixels_N)
    std_C = np.sqrt(np.maximum(0, np.average(power_NC, axis=0, weights=pixels_N) - mean_C**2))
    counts_NK, ignored = _class_counts(samples, train)
    counted = int(counts_NK.sum())
    return Fingerprint(
        train=len(train),
        val=len(samples.part("val")),
        test=len(samples.part("test")),
        channels=channels,
        dtype=dtype,
        smallest=(min(heights), min(widths)),
        median=(int(np.median(heights)), int(np.median(widths))),
        largest=(max(heights), max(widths)),
        low=min(s.low for s in train),
        high=max(s.high for s in train),
        mean=tuple(mean_C.tolist()),
        std=tuple(std_C.tolist()),
        classes=tuple(samples.labels.names),
        pixel_share=tuple((counts_NK.sum(axis=0) / max(1, counted)).tolist()),
        image_share=tuple((counts_NK > 0).mean(axis=0).tolist()),
        ignored_share=ignored / (counted + ignored),
        thickness=thickness(samples, train),
        objects=touching(samples, train),
    )


def kind_of_values(samples: Samples) -> tuple[str, int]:
    """The kind of value that all images have, and how many channels they are read as.

    Raises:
        DataError: they do not agree; names one that differs.
    """
    labelled = [s for s in samples.samples if s.mask]
    return _common(labelled), _channels(samples.part("train"), labelled)


def _class_counts(samples: Samples, train: list[Sample]) -> tuple[NDArray[np.int64], int]:
    """Pixels by image and class, and the number of ignored ones."""
    label_of = samples.labels.label_of
    counts_NK = np.zeros((len(train), samples.labels.count), np.int64)
    ignored = 0
    for row, sample in zip(counts_NK, train, strict=True):
        ignored += sample.height * sample.width - sum(sample.values.values())  # what is not valid
        for value, pixels in sample.values.items():
            if (label := label_of[value]) == IGNORED:
                ignored += pixels
            else:
                row[label] += pixels
    return counts_NK, ignored


def _common(samples: list[Sample]) -> str:
    kinds = Counter(s.dtype for s in samples)
    usual = kinds.most_common(1)[0][0]
    if odd := [s.image for s in samples if s.dtype != usual]:
        raise DataError(
            f"{odd[0]} holds {next(s.dtype for s in samples if s.dtype != usual)} values, most images hold {usual} "
            f"({len(odd)} of {len(samples)} differ). One value must mean the same brightness in all: convert them, or "
            "leave them out with --skip.",
            code="mixed-dtypes",
        )
    return usual


def _channels(train: list[Sample], labelled: list[Sample]) -> int:
    """3 as soon as any training image has colour; grey ones are then spread over three channels."""
    found = Counter(s.channels for s in labelled)
    if set(found) <= {1, 3}:
        return max(s.channels for s in train)
    if len(found) > 1:
        usual = found.most_common(1)[0][0]
        odd = next(s for s in labelled if s.channels != usual)
        raise DataError(
            f"{odd.image} has {odd.channels} channels, most images have {usual}. Convert it, or leave it out with "
            f"--skip {odd.name}.",
            code="mixed-channels",
        )
    return next(iter(found))


def _spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return values * channels if len(values) == 1 else values
