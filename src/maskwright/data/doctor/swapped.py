"""Masks that belong to another image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.doctor.alignment import SIDE, Floats, borders, drawn_objects, filled, slopes
from maskwright.data.doctor.evidence import grey, names, said
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey
from maskwright.errors import MaskwrightError

LOOKED: Final = 24
"""Samples that are compared with each other: neighbours by name, as a list that slipped by a line swaps those."""
CLEAR: Final = 1.0
"""Standard deviations that the slope under borders lies above the mean, where they are on the image's edges."""
CERTAIN: Final = 3.0
"""How many times as well a mask must lie on one image as on any other, its own too."""
PLENTY: Final = 0.01
"""Share of the pixels that a mask's borders take at least: a speck lies on anything."""


@dataclass(frozen=True, eq=False)
class _Pair:
    sample: Sample
    slope: Floats
    """Of the image, H W."""
    edges: Floats
    """Of the mask, H W."""


class Swapped:
    """Masks whose borders lie nowhere on their own image, and well on one other image of the same size, whose own mask
    does not.
    """

    quick = False

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """One finding for all."""
        pairs = list(_opened(survey))
        fits = _fits(pairs)
        found = [(i, j) for i in range(len(pairs)) if (j := _other(fits, i)) is not None]
        if found:
            yield _finding([(pairs[i].sample, pairs[j].sample, fits[i, i], fits[i, j]) for i, j in found], len(pairs))


def _opened(survey: Survey) -> Iterator[_Pair]:
    drawn = [one.sample for one in survey.measured if one.sample.mask and len(one.sample.values) > 1]
    for sample in drawn[:LOOKED]:
        try:
            image_HW, by = grey(sample.image_in(survey.root), SIDE)
            labels_HW = filled(drawn_objects(survey, sample)[by // 2 :: by, by // 2 :: by])
        except MaskwrightError:  # it changed since it was surveyed; the next survey tells
            continue
        edges_HW = borders(labels_HW[: image_HW.shape[0], : image_HW.shape[1]])
        slope_HW = slopes(image_HW)
        if slope_HW is not None and edges_HW.shape == slope_HW.shape and edges_HW.mean() >= PLENTY:
            yield _Pair(sample, slope_HW, edges_HW)


def _fits(pairs: Sequence[_Pair]) -> NDArray[np.float64]:
    """How well the mask of each row lies on the image of each column; nowhere where the sizes differ."""
    fits_NN = np.full((len(pairs), len(pairs)), -np.inf)
    for i, mask in enumerate(pairs):
        for j, image in enumerate(pairs):
            if mask.edges.shape == image.slope.shape:
                fits_NN[i, j] = np.vdot(mask.edges, image.slope) / mask.edges.sum()
    return fits_NN


def _other(fits_NN: NDArray[np.float64], i: int) -> int | None:
    """The image that the mask of a row belongs to by all that is seen, if that is not its own."""
    row = fits_NN[i].copy()
    best = int(row.argmax())
    usual = float(np.median(fits_NN.max(axis=1)))
    # In a set whose borders lie on no edges anything may fit by chance; and an image has one mask.
    if best == i or usual < CLEAR or row[best] < max(CLEAR, usual / 2) or CERTAIN * fits_NN[best, best] > row[best]:
        return None
    row[best] = -np.inf
    return best if fits_NN[i, best] >= CERTAIN * row.max() else None


def _finding(found: Sequence[tuple[Sample, Sample, float, float]], looked_at: int) -> Finding:
    masks = [mask for mask, *_ in found]
    return Finding(
        code="masks-swapped",
        severity="warning",
        title=f"{said(len(found), 'mask seems', 'masks seem')} to belong to another image",
        files=tuple(mask.mask or "" for mask in masks),
        why="Their borders lie nowhere on their own image and well on the other: names were mixed up, and the network "
        "learns labels of other pixels.",
        remedy=f"Look at them; if it is so, give {masks[0].mask} the name that goes with {found[0][1].image}"
        + (", and so on." if len(found) > 1 else "."),
        pictures=names(masks),
        details=(
            *(
                f"{mask.mask} fits {image.image} {there:.2f}, its own image {here:.2f}"
                for mask, image, here, there in found
            ),
            f"{said(looked_at, 'mask')} looked at",
        ),
    )


checks.register("swapped")(Swapped())
