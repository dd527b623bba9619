"""Whether the files of a data set still hold what they held when it was looked at."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from maskwright.data.measure import content_of, mask_content_of
from maskwright.data.parallel import ahead
from maskwright.data.sample import Sample, Samples
from maskwright.data.sources import sources
from maskwright.errors import DataError, ReadError
from maskwright.files import stamp

SHOWN: Final = 3
SKEW: Final = 60 * 10**9
"""Nanoseconds by which the clocks of two disks may differ."""


def demand_unchanged(
    samples: Samples,
    part: Sequence[Sample],
    *,
    since: int,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Nothing, if images and masks of these samples are what they were at a time, in ns since 1970.

    Files that were last touched clearly before that are not read; the others are, and their hashes compared.

    Raises:
        DataError: some are gone or hold something else; names them.
    """

    def state(sample: Sample) -> tuple[list[str], list[str]]:
        return ([], []) if _older(samples, sample, since - SKEW) else _state_of(samples, sample)

    gone: list[str] = []
    other: list[str] = []
    for done, (lost, changed) in enumerate(ahead(state, part, workers), start=1):
        gone += lost
        other += changed
        if progress:
            progress(done, len(part))
    if not gone and not other:
        return
    told = [f"{_some(files)} {what}" for files, what in ((gone, "cannot be read"), (other, "changed")) if files]
    raise DataError(
        f"In {samples.root} {' and '.join(told)} since the training began. Put back what was there and go on, or "
        "train anew in another folder: what was learnt is of the old files.",
        code="changed-files",
        files=(*gone, *other),
    )


def demand_the_same(samples: Samples, sample: Sample) -> None:
    """Nothing, if the files of a sample, which were just read, are what they were.

    Raises:
        DataError: they hold something else.
    """
    _, changed = _state_of(samples, sample)
    if changed:
        raise DataError(
            f"In {samples.root} {' and '.join(changed)} changed while the training was at work. Put back what was "
            "there and go on with --resume, or train anew in another folder.",
            code="changed-files",
            files=changed,
        )


def _older(samples: Samples, sample: Sample, then: int) -> bool:
    """Whether all files of a sample are there and were last touched before that."""
    root = Path(samples.root)
    paths = [root / path for path in (sample.image, *sample.bands, *filter(None, [sample.valid]))]
    if sample.mask is not None:
        paths += sources[sample.source].files(sample.place(root, samples.table))
    try:
        return all(max(stamp(path)[1:]) < then for path in paths)
    except ReadError:
        return False


def _state_of(samples: Samples, sample: Sample) -> tuple[list[str], list[str]]:
    """Files of a sample that are gone, and those that are others."""
    root = Path(samples.root)
    gone: list[str] = []
    other: list[str] = []
    try:
        if content_of(root, sample) != sample.content:
            other.append(sample.image)
    except ReadError:
        gone.append(sample.image)
    try:
        if (
            sample.mask is not None
            and sample.mask_content
            and mask_content_of(root, sample, samples.table) != sample.mask_content
        ):
            other.append(sample.mask)
    except ReadError:
        gone.append(sample.mask or "")
    return gone, other


def _some(files: list[str]) -> str:
    more = len(files) - SHOWN
    return ", ".join(files[:SHOWN]) + (f" and {more} more" if more > 0 else "")
