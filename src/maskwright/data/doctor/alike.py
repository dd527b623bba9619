"""Which pictures are nearly the same: first by their thumbnails, all against all, then pair by pair in finer detail."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from maskwright.data.measure import thumbnail

Floats = NDArray[np.float32]

SIDE: Final = 96
"""Of the finer picture."""
CANDIDATE: Final = 0.75
"""Correlation of thumbnails above which a pair is looked at again. Unlike photographs stay below 0.6."""
SAME: Final = 0.8
"""Agreement in detail above which two are one picture: saved again, resized, brightened or cut a little."""
NEIGHBOURS: Final = 0.35
"""… and above which they show one scene: frames of a film, a scene twice. Unlike pictures stay below 0.25."""
RIM: Final = 0.7
"""Agreement of a rim above which two tiles overlap; a rim has fewer pixels, so chance goes up to 0.4."""
_BLOCK: Final = 256
_KEPT: Final = 4
"""Candidates an image in its own part, and as many in others: hundreds of frames of one scene are all alike."""
_SCALES: Final = (0.95, 0.9, 0.85, 0.8)
_PLAY: Final = 6
"""Pixels of the finer picture by which two may be shifted."""


def candidates(thumbnails: Sequence[NDArray[np.uint8]], parts: Sequence[Any]) -> list[tuple[int, int, float]]:
    """Pairs of places whose thumbnails are alike, with their correlation; those across parts first, then the likest.

    What all images share (sky above, road below) is taken off before, where there are enough to tell what that is.
    Blocks of rows are compared with all, so memory grows with the number of images and not with its square.
    """
    few_ND = _unit(np.stack([_smaller(one) for one in thumbnails]).astype(np.float32))
    if len(few_ND) >= 20:
        few_ND = _unit(few_ND - few_ND.mean(axis=0))
    _, part_N = np.unique([str(part) for part in parts], return_inverse=True)
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(few_ND), _BLOCK):
        alike_bN = few_ND[start : start + _BLOCK] @ few_ND[start:].T
        here = len(alike_bN)
        alike_bN[:, :here][np.tri(here, dtype=np.bool_)] = 0  # each pair once
        places = np.flatnonzero(alike_bN.ravel() > CANDIDATE)
        if not len(places):
            continue
        rows, columns = np.divmod(places, alike_bN.shape[1])
        present, starts = np.unique(rows, return_index=True)
        for row, near in zip(present, np.split(columns, starts[1:]), strict=True):
            own = part_N[near + start] == part_N[row + start]
            for kind in (near[own], near[~own]):
                best = kind[np.argsort(-alike_bN[row, kind], kind="stable")[:_KEPT]]
                found += [(int(row) + start, int(c) + start, float(alike_bN[row, c])) for c in best]
    return sorted(found, key=lambda pair: (part_N[pair[0]] == part_N[pair[1]], -pair[2], pair[:2]))


def detail(image_HWC: NDArray[Any]) -> Floats:
    """The fine structure of an image, `SIDE` × `SIDE`, each region with the same weight.

    The local mean is taken off and the local deviation divided by, so that neither a lamp nor one strong edge that all
    images have (the rim of a microscope's field) decides.
    """
    small = ndimage.gaussian_filter(thumbnail(image_HWC, SIDE).astype(np.float32), 0.7)
    fine = small - ndimage.gaussian_filter(small, 3)
    deviation = np.sqrt(np.maximum(0, ndimage.gaussian_filter(fine**2, 4)))
    # The usual deviation where there is something at all: one strong edge, or a black surrounding, is not usual.
    some = deviation[deviation > 0.05]
    usual = float(np.median(some)) if some.size else 1.0
    return np.asarray(fine / (deviation + 0.2 * usual + 1e-6), np.float32)


def agreement(a: Floats, b: Floats) -> float:
    """How far two details agree at the best small shift and scale, from about 0 to 1."""
    best = _best(a[_PLAY:-_PLAY, _PLAY:-_PLAY], b)
    for scale in _SCALES:
        if best >= SAME:
            break
        for one, other in ((a, b), (b, a)):
            smaller = ndimage.zoom(one, scale, order=1)
            best = max(best, _best(smaller[2:-2, 2:-2], other))
    return best


def overlap(a: Floats, b: Floats) -> float:
    """How far a rim of the one agrees with some place of the other, as of tiles that were cut with an overlap."""
    strip = SIDE // 5
    rims = (b[:, :strip], b[:, -strip:], b[:strip], b[-strip:])
    return max(_best(rim[2:-2, 2:-2], a) for rim in rims)


def _best(template: Floats, image: Floats) -> float:
    """The highest correlation of the template with a place of the image (Lewis 1995): products by Fourier transform,
    means and deviations by sums over windows.
    """
    height, width = template.shape
    if template.std() < 1e-3 or image.std() < 1e-3:
        return 0.0
    centred = template - template.mean()
    size = [fft.next_fast_len(n, real=True) for n in image.shape]
    waves = fft.rfft2(image, size) * np.conj(fft.rfft2(centred, size))
    products = fft.irfft2(waves, size)[: image.shape[0] - height + 1, : image.shape[1] - width + 1]
    exact = image.astype(np.float64)  # differences of large sums
    variance = _windows(exact**2, height, width) - _windows(exact, height, width) ** 2 / template.size
    lengths = np.sqrt(np.maximum(variance, 1e-6 * template.size)) * np.sqrt((centred**2).sum())
    return float((products / lengths).max())


def _windows(values: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The sum over each window of that size."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return np.asarray(sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width])


def _smaller(thumbnail_hw: NDArray[np.uint8]) -> Floats:
    height, width = (n // 2 for n in thumbnail_hw.shape)
    pairs = thumbnail_hw[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return pairs.mean(axis=(1, 3), dtype=np.float32).ravel()


def _unit(rows_ND: Floats) -> Floats:
    """Rows of mean 0 and length 1; those without any structure stay 0, like nothing."""
    rows_ND = rows_ND - rows_ND.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows_ND, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-3, rows_ND / np.maximum(length, 1e-3), 0), np.float32)
