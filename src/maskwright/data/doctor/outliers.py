"""Images unlike the others: flat, black, white, far brighter, far larger."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.doctor.evidence import (
    image_files,
    labelled,
    names,
    over_channels,
    said,
    skip_options,
    skipping,
)
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey

FEWEST: Final = 12
"""Images below which nothing is usual, and so nothing unusual."""
FAR: Final = 8.0
"""Robust standard deviations from the median; of normal numbers none in 10¹⁴ is as far."""
RARE: Final = 0.02
"""What more images than this share are is not unlike the others."""
TINY: Final = 16
"""Pixels a side below which a U-Net has nothing to go down to."""


class Outliers:
    """Images that stand apart from the others in brightness, contrast or size, and those in which nothing is seen.

    By the distance to the median in median absolute deviations (Iglewicz and Hoaglin 1993), each with a floor, as a set
    in which all are alike has a deviation of next to none.
    """

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """Flat ones, then those that are far from the others."""
        samples = labelled(survey)
        yield from _flat(samples)
        yield from _tiny(samples)
        yield from _sizes(samples)
        seen = [sample for sample in samples if sample.low < sample.high]
        # Types of unlike range are told by themselves.
        if len(seen) >= FEWEST and len({sample.dtype for sample in seen}) == 1:
            span = _span(seen)
            yield from _far(seen, "brightness", over_channels([s.mean for s in seen]), span, 0.03 * span)
            yield from _far(seen, "contrast", over_channels([s.std for s in seen]), span, 0.03 * span)


def _span(samples: Sequence[Sample]) -> float:
    """From black to white: what the type holds, or what the images do where that is less."""
    if samples[0].dtype == "uint8":
        return 255.0
    return float(np.median([s.high for s in samples]) - np.median([s.low for s in samples])) or 1.0


def _flat(samples: Sequence[Sample]) -> Iterator[Finding]:
    """Those with something drawn in the mask, then the others."""
    flat = [sample for sample in samples if sample.low == sample.high]
    if drawn := [sample for sample in flat if len(sample.values) > 1]:
        yield Finding(
            code="flat-but-drawn",
            severity="warning",
            title=f"{said(len(drawn), 'image has', 'images have')} one value in all pixels, yet something is drawn in "
            "the mask",
            files=image_files(drawn),
            why="The file is empty or was exported wrongly, and the network is asked to find what cannot be seen.",
            remedy=f"Export them again, or leave them out: {skip_options([s.name for s in drawn], fixed=True)}",
            fix=skipping(drawn),
            pictures=names(drawn),
            details=_values(drawn),
        )
    if empty := [sample for sample in flat if len(sample.values) <= 1]:
        yield Finding(
            code="flat",
            severity="note",
            title=f"{said(len(empty), 'image has', 'images have')} one value in all pixels",
            files=image_files(empty),
            why="Nothing can be seen in them; they teach at most that nothing is to be drawn there.",
            remedy=f"Export them again, or leave them out: {skip_options(s.name for s in empty)}",
            pictures=names(empty),
            details=_values(empty),
        )


def _values(flat: Sequence[Sample]) -> tuple[str, ...]:
    return tuple(f"{sample.image}: {sample.low:g} everywhere" for sample in flat)


def _tiny(samples: Sequence[Sample]) -> Iterator[Finding]:
    tiny = [sample for sample in samples if min(sample.height, sample.width) < TINY]
    if tiny:
        yield Finding(
            code="tiny",
            severity="warning",
            title=f"{said(len(tiny), 'image is', 'images are')} less than {TINY} pixels high or wide",
            files=image_files(tiny),
            why="They may be icons or previews; a U-Net halves its maps several times and has nothing left of them.",
            remedy=f"Use the full images, or leave them out: {skip_options(s.name for s in tiny)}",
            pictures=names(tiny),
            details=tuple(f"{s.image}: {s.height}×{s.width} (height × width)" for s in tiny),
        )


def _sizes(samples: Sequence[Sample]) -> Iterator[Finding]:
    """The few whose size is another where all others have one; else those far from the others in area."""
    if len(samples) < FEWEST:
        return
    sizes = Counter((s.height, s.width) for s in samples)
    (usual, times), *_ = sizes.most_common(1)
    if times >= (1 - RARE) * len(samples) or times == len(samples) - 1:
        odd = [s for s in samples if (s.height, s.width) != usual]
        reference = f"all others are {usual[0]}×{usual[1]}"
    else:
        areas = np.log([s.height * s.width for s in samples])
        odd = [samples[i] for i in _strange(areas, floor=0.1, least=np.log(4))]
        reference = f"half of the images have less than {np.exp(np.median(areas)):,.0f} pixels, half more"
    if odd:
        yield Finding(
            code="outliers-size",
            severity="note",
            title=f"{said(len(odd), 'image is', 'images are')} of another size than the others",
            files=image_files(odd),
            why="Objects in them may appear at another scale than in all others, which the network seldom meets.",
            remedy="Look at them: a preview, a crop or another camera? Resize or replace, or leave out with --skip.",
            pictures=names(odd),
            details=(reference, *(f"{s.image}: {s.height}×{s.width} (height × width)" for s in odd)),
        )


def _far(samples: list[Sample], what: str, values: NDArray[np.float64], span: float, floor: float) -> Iterator[Finding]:
    odd = _strange(values, floor, least=0.2 * span)
    if odd:
        found = [samples[i] for i in odd]
        usual = [float(q) for q in np.percentile(values, (5, 50, 95))]
        name = "mean" if what == "brightness" else "standard deviation"
        yield Finding(
            code=f"outliers-{what}",
            severity="note",
            title=f"{said(len(found), 'image is', 'images are')} far from the others in {what}",
            files=image_files(found),
            why="A lamp, an exposure or an export differed; the network meets such images too seldom to learn them.",
            remedy="Look at them, and leave out what is broken with --skip.",
            pictures=names(found),
            details=(
                f"{name} of the images: median {usual[1]:.4g}, 5 % below {usual[0]:.4g}, 5 % above {usual[2]:.4g}",
                *(f"{samples[i].image}: {values[i]:.4g}" for i in odd),
            ),
        )


def _strange(values: NDArray[np.float64], floor: float, least: float) -> list[int]:
    """Places of the numbers that are far from the median; none where they are many, or where many lie between."""
    middle = np.median(values)
    spread = max(1.4826 * float(np.median(np.abs(values - middle))), floor)
    distance = np.abs(values - middle)
    # A distribution with a long tail goes over into it; what stands apart has a gap before it.
    far = (distance > FAR * spread) & (distance > least)
    if not far.any() or far.sum() > max(1, RARE * len(values)):
        return []
    if distance[far].min() < 1.3 * distance[~far].max():
        return []
    return [int(i) for i in np.flatnonzero(far)]


checks.register("outliers")(Outliers())
