"""What several checks look at, and how they speak of it."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskwright.data.names import relative
from maskwright.data.sample import Sample
from maskwright.data.survey import Seen, Survey
from maskwright.errors import DataError, MaskwrightError, ReadError

PARTS = {"train": "training", "val": "validation", "test": "test"}
SHOWN = 6
"""Pictures and lines a finding."""
PASTED = 4
"""Files that one leaves out by hand."""


def said(count: int, one: str, many: str = "") -> str:
    """A number with its noun: `3 images`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names, and a sign that there are more."""
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def skip_options(files: Iterable[str], *, fixed: bool = False) -> str:
    """The options that leave these out, ready to be pasted where they are few.

    fixed: whether the finding has a fix that does it.
    """
    skip = list(dict.fromkeys(files))
    if len(skip) <= PASTED:
        return " ".join(f"--skip {shlex.quote(name)}" for name in skip)
    if fixed:
        return f"--fix writes all {len(skip):,} to dataset.yaml"
    return f"list all {len(skip):,} under skip: in dataset.yaml"


def code_of(fault: MaskwrightError) -> str:
    """What kind of fault it is: `unreadable` where a file does not open, `refused` where nobody said."""
    if isinstance(fault, ReadError):
        return "unreadable"
    return (fault.code if isinstance(fault, DataError) else "") or "refused"


def faulty(survey: Survey, code: str) -> list[tuple[Seen, MaskwrightError]]:
    """The entries with a fault of that kind, and the fault."""
    return [(one, one.error) for one in survey.seen if one.error is not None and code_of(one.error) == code]


def shown(path: Path, survey: Survey) -> str:
    """The path inside the data set."""
    return relative(path, survey.root)


def labelled(survey: Survey) -> list[Sample]:
    """The samples that have a mask."""
    return [one.sample for one in survey.measured if one.sample.mask]


def published(survey: Survey) -> set[str]:
    """Names of the samples whose part is as the folder or its lists say: nobody drew it here."""
    return {
        one.measured.sample.name
        for one in survey.seen
        if one.measured and one.entry.split is not None and one.entry.split == one.measured.sample.split
    }


def image_files(samples: Iterable[Sample]) -> tuple[str, ...]:
    """The images, each once."""
    return tuple(dict.fromkeys(sample.image for sample in samples))


def names(samples: Iterable[Sample], most: int = SHOWN) -> tuple[str, ...]:
    """The first names, to show their pictures."""
    return tuple(dict.fromkeys(sample.name for sample in samples))[:most]


def skipping(samples: Iterable[Sample]) -> dict[str, Any]:
    """The fix that leaves these out."""
    return {"skip": list(dict.fromkeys(sample.name for sample in samples))}


def over_channels(numbers: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
    """The mean of each image's numbers, one a channel."""
    if len({len(one) for one in numbers}) == 1:  # all at once takes a hundredth of the time
        return np.asarray(np.array(numbers, np.float64).mean(axis=1))
    return np.array([np.mean(one) for one in numbers], np.float64)


def spread(samples: Sequence[Sample], most: int, pixels: int) -> list[Sample]:
    """At most so many samples, evenly spaced, and only as many as have so many pixels together; one at least."""
    if not samples:
        return []
    mean = sum(sample.height * sample.width for sample in samples) / len(samples)
    count = max(1, min(len(samples), most, int(pixels / mean)))
    return [samples[int(place)] for place in np.linspace(0, len(samples) - 1, count)]


def grey(image_HWC: NDArray[Any], side: int) -> tuple[NDArray[np.float32], int]:
    """The image in greys, float32, its longer side at most `side`; and how many pixels in a row became one."""
    by = max(1, -(-max(image_HWC.shape[:2]) // side))
    height, width = (max(1, n // by) for n in image_HWC.shape[:2])
    few_HWC = image_HWC[: height * by, : width * by]
    grey_HW = few_HWC.mean(axis=2, dtype=np.float32) if few_HWC.shape[2] > 1 else few_HWC[:, :, 0].astype(np.float32)
    if by == 1:
        return grey_HW, 1
    tall, wide = (min(by, n) for n in grey_HW.shape)  # a side may be shorter than what becomes one
    blocks = grey_HW[: height * tall, : width * wide].reshape(height, tall, width, wide)
    return blocks.mean(axis=(1, 3)), by
