"""Masks that lie askew on their image: shifted, mirrored or turned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from maskwright.data.doctor.evidence import SHOWN, grey, names, said, spread
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.measure import Measured
from maskwright.data.sample import Sample
from maskwright.data.sources import sources
from maskwright.data.survey import Survey
from maskwright.errors import MaskwrightError
from maskwright.files.orientation import upright
from maskwright.records import IGNORED

Floats = NDArray[np.float32]

REACH: Final = 12
"""Pixels, at reduced size, up to which a shift is looked for."""
LEAST: Final = 2.5
"""Pixels of shift that are told: people draw borders one or two pixels off, and some always on the outer side."""
PLAY: Final = 2
"""Pixels by which a mask that is turned may be shifted besides."""
SIDE: Final = 512
LOOKED: Final = 24
"""Samples that are opened, evenly spread …"""
PIXELS: Final = 100_000_000
"""… and at most so many pixels."""
FEWEST: Final = 4
"""Files that must agree."""
MOST: Final = 0.8
"""Of the files, those that must lie better when moved."""
GAIN: Final = 1.3
"""How many times the score must be that of the mask as it lies."""
STRONG: Final = 3.0
"""The same where one file stands alone against others that lie well."""
CLEAR: Final = 0.25
"""Score below which borders are not where the image changes, and nothing is told: the gradient at the border lies so
many standard deviations above that elsewhere."""

_TURNS: Final = {
    2: "mirrored left to right", 3: "turned by 180°", 4: "mirrored top to bottom", 5: "transposed",
    6: "turned by 90° clockwise", 7: "transposed across the other diagonal", 8: "turned by 90° counter-clockwise",
}  # fmt: skip
"""EXIF's numbers: what must be done to the mask."""


@dataclass(frozen=True, eq=False)
class Fit:
    """How well the borders of a mask lie on the gradient of its image, as it is, shifted and turned."""

    sample: Sample
    by: int
    """Pixels of the file to one that was compared."""
    shifts: Floats
    """Score for each shift, from -REACH to REACH down and right; in the middle as it lies."""
    turned: dict[int, float]
    """Score for each turn that keeps the size."""

    @property
    def still(self) -> float:
        """The score as the mask lies."""
        return float(self.shifts[REACH, REACH])

    @property
    def near(self) -> float:
        """The same with the play that turned ones have."""
        here = slice(REACH - PLAY, REACH + PLAY + 1)
        return float(self.shifts[here, here].max())

    @property
    def best(self) -> tuple[int, int]:
        """The shift that fits best, down and right."""
        return _peak(self.shifts)


class Alignment:
    """Masks whose borders would lie on the image's edges if they were moved, at the best of all shifts and turns.

    Told of a set where most files agree on the same move, of one file only where the others lie well and it fits
    several times better elsewhere. Opens some dozens of files.
    """

    quick = False

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """EXIF first, as it says what happened; then turns; then shifts."""
        seen = {one.sample.name: one for one in survey.measured}
        drawn = [one.sample for one in survey.measured if one.sample.mask and len(one.sample.values) > 1]
        noted = [sample for sample in drawn if _one_turned(seen[sample.name])]
        plain = [sample for sample in drawn if not _one_turned(seen[sample.name])]
        if found := _unfollowed(_fits(survey, noted), seen):
            yield found
        fits = _fits(survey, plain)
        if found := _turned(fits) or _shifted(fits):
            yield found
        else:
            yield from _alone(fits)


def _one_turned(one: Measured) -> bool:
    """Whether the image was turned when it was read, and the mask was not."""
    return one.look.orientation > 1 and one.look.mask_orientation == 1


def _fits(survey: Survey, samples: Sequence[Sample]) -> list[Fit]:
    """The fits of some of the samples; those without a border have none."""
    out = []
    for sample in spread(samples, LOOKED, PIXELS):
        try:
            fit = fitted(sample, sample.image_in(survey.root), drawn_objects(survey, sample))
        except MaskwrightError:  # it changed since it was surveyed; the next survey tells
            continue
        if fit is not None:
            out.append(fit)
    return out


def drawn_objects(survey: Survey, sample: Sample) -> NDArray[Any]:
    """What has borders: objects where they are told apart, else labels, -1 where they are ignored, else the values as
    they stand.
    """
    table = survey.samples.table if survey.samples else {}
    if sample.tells_objects:
        objects_HW = sources[sample.source].objects(sample.place(survey.root, table))
        assert objects_HW is not None, "the source says that it tells objects"
        return objects_HW
    if survey.samples is None:
        return survey.values_of(sample)
    labels_HW = survey.samples.labels_of(sample).astype(np.int16)
    labels_HW[labels_HW == IGNORED] = -1
    return labels_HW


def fitted(sample: Sample, image_HWC: NDArray[Any], labels_HW: NDArray[Any]) -> Fit | None:
    """How a mask lies on its image; None where it has no border, or the image nothing to see.

    Ignored pixels (below 0) take the label that is nearest, so that a band of them has its border in the middle.
    """
    image_HW, by = grey(image_HWC, SIDE)
    labels_HW = filled(labels_HW[by // 2 :: by, by // 2 :: by][: image_HW.shape[0], : image_HW.shape[1]])
    if labels_HW.shape != image_HW.shape or min(image_HW.shape) < 4 * REACH:
        return None
    edges_HW = borders(labels_HW)
    slope_HW = slopes(image_HW)
    if not edges_HW.any() or slope_HW is None:
        return None
    others = {turn: np.ascontiguousarray(upright(edges_HW, turn)) for turn in _TURNS}
    able = [turn for turn, other in others.items() if other.shape == edges_HW.shape]
    still, *turned = scores(slope_HW, [edges_HW, *(others[turn] for turn in able)])
    near = slice(REACH - PLAY, REACH + PLAY + 1)
    return Fit(sample, by, still, {turn: float(one[near, near].max()) for turn, one in zip(able, turned, strict=True)})


def slopes(image_HW: Floats) -> Floats | None:
    """How steep the image is, in standard deviations above its mean; None where there is nothing to see."""
    slope_HW = ndimage.gaussian_gradient_magnitude(image_HW, 1.0)
    slope_HW = np.minimum(slope_HW, np.percentile(slope_HW, 99))  # one bright speck is not all there is
    if slope_HW.std() < 1e-6:
        return None
    return np.asarray((slope_HW - slope_HW.mean()) / slope_HW.std(), np.float32)


def scores(slope_HW: Floats, edges: Sequence[Floats]) -> list[Floats]:
    """The mean slope under each map of edges for each shift of it, down and right from -REACH to REACH."""
    size = [fft.next_fast_len(n + 2 * REACH, real=True) for n in slope_HW.shape]
    waves = fft.rfft2(slope_HW, size)
    out = []
    for edges_HW in edges:
        sums = fft.irfft2(waves * np.conj(fft.rfft2(edges_HW, size)), size)
        out.append(np.roll(sums, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1] / edges_HW.sum())
    return [np.asarray(one, np.float32) for one in out]


def filled(labels_HW: NDArray[Any]) -> NDArray[Any]:
    """The labels, those below 0 taken from the nearest other pixel."""
    ignored_HW = labels_HW < 0
    if not ignored_HW.any() or ignored_HW.all():
        return labels_HW
    rows, columns = ndimage.distance_transform_edt(ignored_HW, return_distances=False, return_indices=True)
    return np.asarray(labels_HW[rows, columns])


def borders(labels_HW: NDArray[Any]) -> Floats:
    """1 on both sides of each border."""
    out_HW = np.zeros(labels_HW.shape, np.float32)
    down, right = labels_HW[1:] != labels_HW[:-1], labels_HW[:, 1:] != labels_HW[:, :-1]
    for part, here in ((out_HW[1:], down), (out_HW[:-1], down), (out_HW[:, 1:], right), (out_HW[:, :-1], right)):
        part[here] = 1
    return out_HW


def _peak(shifts: Floats) -> tuple[int, int]:
    row, column = np.unravel_index(int(shifts.argmax()), shifts.shape)
    return int(row) - REACH, int(column) - REACH


def _agreed(moved: Sequence[float], still: Sequence[float]) -> bool:
    """Whether most files lie better when moved, by much, and by far more than they differ among themselves."""
    if len(moved) < FEWEST:
        return False
    after, before = np.array(moved), np.array(still)
    gain = after - before
    certain = gain.mean() >= 4 * gain.std(ddof=1) / len(gain) ** 0.5
    better = (gain > 0).mean() >= MOST
    return bool(certain and better and after.mean() >= max(CLEAR, GAIN * before.mean()))


def _unfollowed(fits: list[Fit], seen: dict[str, Measured]) -> Finding | None:
    """Masks that lie as the sensor saw the picture: they fit once they are turned as the image was."""

    def moved(fit: Fit) -> float:
        return fit.turned.get(seen[fit.sample.name].look.orientation, -1.0)

    clear = [fit for fit in fits if moved(fit) > max(CLEAR, STRONG / 2 * fit.near)]
    if not clear or (len(clear) < MOST * len(fits) and not all(moved(f) > STRONG * f.near for f in clear)):
        return None
    every = len(clear) == len(fits)
    return Finding(
        code="exif-mask-unturned",
        severity="error",
        title=f"{said(len(clear), 'mask does', 'masks do')} not follow the EXIF rotation of the image",
        files=tuple(fit.sample.image for fit in clear),
        why="The image is turned upright when it is read, but the mask lies as the sensor saw it: the network learns "
        "labels that are upside down.",
        remedy="Turn these masks as the note in the image says, or store the images upright without the note.",
        pictures=names(fit.sample for fit in clear),
        details=(
            f"{len(clear)} of {said(len(fits), 'such image')} looked at" + (", and all of them" if every else ""),
            *(
                f"{fit.sample.mask}: the borders fit {moved(fit):.2f} when turned as EXIF orientation "
                f"{seen[fit.sample.name].look.orientation} says, {fit.near:.2f} as they lie"
                for fit in clear
            ),
        ),
    )


def _turned(fits: list[Fit]) -> Finding | None:
    """Masks that all fit better at the same turn."""
    for turn, words in _TURNS.items():
        able = [fit for fit in fits if turn in fit.turned]
        after, before = [fit.turned[turn] for fit in able], [fit.near for fit in able]
        if _agreed(after, before):
            return Finding(
                code="turned",
                severity="error",
                title=f"Masks fit their images when they are {words}",
                files=tuple(fit.sample.mask or "" for fit in able),
                why="The network would learn labels that belong to other pixels.",
                remedy="Look at some under their images; if it is so, write the masks anew, turned.",
                pictures=names(fit.sample for fit in able),
                details=(_numbers(after, before),),
            )
    return None


def _shifted(fits: list[Fit]) -> Finding | None:
    """Masks that all fit better at the same shift."""
    if len(fits) < FEWEST:
        return None
    down, right = _peak(np.mean([fit.shifts for fit in fits], axis=0))
    place = (down + REACH, right + REACH)
    after, before = [float(fit.shifts[place]) for fit in fits], [fit.still for fit in fits]
    if np.hypot(down, right) < LEAST or not _agreed(after, before):
        return None
    by = float(np.median([fit.by for fit in fits]))
    return Finding(
        code="shifted",
        severity="warning",
        title=f"Masks look shifted: they fit their images when moved {_moved(down * by, right * by)}",
        files=tuple(fit.sample.mask or "" for fit in fits),
        why="The network learns borders that lie beside the objects, and is scored against them.",
        remedy="Look at some under their images; if it is so, move the masks back, or crop images and masks alike.",
        pictures=names(fit.sample for fit in fits),
        details=(_numbers(after, before),),
    )


def _alone(fits: list[Fit]) -> Iterator[Finding]:
    """Single files that fit elsewhere, in a set whose others lie well."""
    steady = [fit for fit in fits if np.hypot(*fit.best) < LEAST and fit.still >= CLEAR]
    if len(fits) < 2 * FEWEST or len(steady) < MOST * len(fits):
        return
    usual = float(np.median([fit.still for fit in steady]))
    odd = [
        fit
        for fit in fits
        if np.hypot(*fit.best) >= LEAST
        and fit.shifts.max() >= max(usual / 2, STRONG * fit.still)
        and max(abs(move) for move in fit.best) < REACH
    ]
    if odd:
        yield Finding(
            code="shifted-alone",
            severity="warning",
            title=f"{said(len(odd), 'mask looks', 'masks look')} shifted against the image, unlike the others",
            files=tuple(fit.sample.mask or "" for fit in odd),
            why="The network learns borders that lie beside the objects.",
            remedy=f"Look at them under their images; redraw them, or leave them out: --skip {odd[0].sample.name}",
            pictures=names(fit.sample for fit in odd),
            details=tuple(
                f"{fit.sample.mask}: fits {fit.shifts.max():.2f} when moved "
                f"{_moved(fit.best[0] * fit.by, fit.best[1] * fit.by)}, {fit.still:.2f} as it lies; others {usual:.2f}"
                for fit in odd[:SHOWN]
            ),
        )


def _numbers(after: Sequence[float], before: Sequence[float]) -> str:
    return (
        f"of {said(len(after), 'mask')} looked at: slope of the image under the borders {np.mean(after):.2f} standard "
        f"deviations above the mean when moved, {np.mean(before):.2f} as they lie"
    )


def _moved(down: float, right: float) -> str:
    words = [
        f"{abs(by):.0f} {'pixel' if round(abs(by)) == 1 else 'pixels'} {one if by > 0 else other}"
        for by, one, other in ((down, "down", "up"), (right, "right", "left"))
        if round(abs(by))
    ]
    return " and ".join(words)


checks.register("alignment")(Alignment())
