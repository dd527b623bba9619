"""What the numbers in the images mean: types, ranges and channels that differ or are not what they seem."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from maskwright.data.doctor.evidence import image_files, labelled, names, said, skip_options
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey

BITS: Final = (8, 10, 12, 14, 16)
GAP: Final = 4.0
"""How many times the brightest of one range lies below the darkest of the next: two bits."""


class Ranges:
    """Types and channels that are mixed, ranges that are mixed, and ranges smaller than the type."""

    quick = True
    tells = frozenset({"mixed-dtypes", "mixed-channels"})

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Mixed types, mixed ranges, mixed channels, then what is only worth knowing."""
        samples = labelled(survey)
        if not samples:
            return
        types = {sample.dtype for sample in samples}
        if len(types) > 1:
            yield _types(samples)
        elif (found := _two_ranges(samples)) is not None:
            yield found
        elif types == {"uint16"}:
            yield from _few_bits(samples)
        yield from _channels(samples)
        yield from _grey_in_truth(samples)


def _types(samples: Sequence[Sample]) -> Finding:
    times = Counter(sample.dtype for sample in samples)
    usual = times.most_common(1)[0][0]
    odd = [sample for sample in samples if sample.dtype != usual]
    return Finding(
        code="mixed-dtypes",
        severity="error",
        title=f"{said(len(odd), 'image holds', 'images hold')} other numbers than the {usual} of the rest",
        files=image_files(odd),
        why="One value must mean the same brightness in all: 200 is bright in 8 bits and black in 16. Training is "
        "refused.",
        remedy=f"Convert them to {usual}, with the factor that they were scaled by, or leave them out: "
        f"{skip_options(s.name for s in odd)}",
        pictures=names(odd),
        details=(
            ", ".join(f"{kind}: {said(count, 'image')}" for kind, count in times.most_common()),
            *(f"{s.image}: {s.dtype}, {s.low:g} to {s.high:g}" for s in odd),
        ),
    )


def _two_ranges(samples: Sequence[Sample]) -> Finding | None:
    """Images that end at 1, or at 255, or at 4095, among others that go far beyond."""
    kind = samples[0].dtype
    ends = {"float32": (1.0, 255.0, 4095.0), "uint16": (255.0, 4095.0)}.get(kind)
    bright = [sample for sample in samples if sample.high > sample.low and sample.low >= -1]
    if ends is None or len(bright) < 2:
        return None
    for end in ends:
        low = [s for s in bright if s.high <= end]
        high = [s for s in bright if s.high > end]
        # Dim images end anywhere; those of another range fill it.
        if (len(low) < 2 and kind != "float32") or not low or not high:
            continue
        if float(np.median([s.high for s in low])) > end / 2 and min(s.high for s in high) > GAP * end:
            odd = min(low, high, key=len)
            return _range_finding(low, high, odd, end)
    return None


def _range_finding(low: list[Sample], high: list[Sample], odd: list[Sample], end: float) -> Finding:
    top = max(sample.high for sample in high)
    return Finding(
        code="mixed-ranges",
        severity="warning",
        title=f"{said(len(low), 'image ends', 'images end')} at {end:g}, {said(len(high), 'other')} go up to {top:g}",
        files=image_files(odd),
        why="One value must mean the same brightness in all; to the network the smaller ones are next to black.",
        remedy="Multiply or divide one kind such that both have one range.",
        pictures=names(odd),
        details=tuple(f"{s.image}: {s.low:g} to {s.high:g}" for s in odd),
    )


def _few_bits(samples: Sequence[Sample]) -> Iterator[Finding]:
    """16-bit files whose numbers need fewer."""
    top = max(sample.high for sample in samples)
    bits = next(bits for bits in BITS if top < 2**bits)
    if bits < 16 and top > 0:
        yield Finding(
            code="few-bits",
            severity="note",
            title=f"16-bit files that hold {bits} bits: the highest value of all is {top:g}",
            files=image_files(samples),
            why=f"A camera of {bits} bits, most likely. Training scales by what is there, so it does no harm; but "
            "viewers show such images nearly black, and images to predict on must have the same range.",
            remedy="Nothing to do, as long as later images come from the same camera and export.",
            pictures=names(samples, 3),
            details=(f"lowest {min(s.low for s in samples):g}, highest {top:g}, of at most 65535",),
        )


def _channels(samples: Sequence[Sample]) -> Iterator[Finding]:
    times = Counter(sample.channels for sample in samples)
    if len(times) < 2:
        return
    usual = times.most_common(1)[0][0]
    odd = [sample for sample in samples if sample.channels != usual]
    harmless = set(times) <= {1, 3}
    yield Finding(
        code="mixed-channels",
        severity="note" if harmless else "error",
        title=f"{said(len(odd), 'image has', 'images have')} another number of channels than the {usual} of the rest",
        files=image_files(odd),
        why="Grey ones are spread over three channels, so colour says which export a file came from."
        if harmless
        else "A network has as many inputs as images have channels. Training is refused.",
        remedy="Nothing to do, if grey and colour images are meant to be together."
        if harmless
        else f"Convert them to {usual} channels, or leave them out: {skip_options(s.name for s in odd)}",
        pictures=names(odd),
        details=(
            ", ".join(f"{said(count, 'image')} of {said(n, 'channel')}" for n, count in times.most_common()),
            *(f"{sample.image}: {said(sample.channels, 'channel')}" for sample in odd),
        ),
    )


def _grey_in_truth(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Three channels of the same mean and deviation, but for rounding, are three times the same channel."""
    colour = [sample for sample in samples if sample.channels == 3 and sample.low < sample.high]
    grey = [sample for sample in colour if np.ptp(sample.mean) + np.ptp(sample.std) < 1e-6 * (1 + max(sample.std))]
    if grey:
        few = len(grey) < len(colour)
        yield Finding(
            code="grey-in-truth",
            severity="note",
            title=f"{len(grey):,} of {said(len(colour), 'colour image')} {'is' if len(grey) == 1 else 'are'} grey in "
            "truth",
            files=image_files(grey),
            why="Grey and coloured images are likely of two kinds; the test part should have both."
            if few
            else "The three channels say the same thing three times. It does no harm.",
            remedy="Look at the scores of each kind by itself." if few else "Nothing to do.",
            pictures=names(grey),
        )


checks.register("ranges")(Ranges())
