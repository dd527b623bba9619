"""Which pictures are nearly the same: first by their thumbnails, all against all, then pair by pair in finer detail."""

from collections.abc import Sequence
from functools import cache, cached_property
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
_FLAT: Final = 1e-3
"""Deviation below which there is nothing to compare."""
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
    blocks = (thumbnails[start : start + _BLOCK] for start in range(0, len(thumbnails), _BLOCK))
    few_ND = _unit(np.concatenate([_smaller(np.stack(block)) for block in blocks]))
    if len(few_ND) >= 20:
        few_ND = _unit(few_ND - few_ND.mean(axis=0))
    _, part_N = np.unique([str(part) for part in parts], return_inverse=True)
    found: list[tuple[NDArray[Any], NDArray[Any], Floats]] = []
    for start in range(0, len(few_ND), _BLOCK):
        alike_bN = few_ND[start : start + _BLOCK] @ few_ND[start:].T
        here = len(alike_bN)
        alike_bN[:, :here][np.tri(here, dtype=np.bool_)] = 0  # each pair once
        places = np.flatnonzero(alike_bN.ravel() > CANDIDATE)
        if not len(places):
            continue
        rows, columns = np.divmod(places, alike_bN.shape[1])
        values, own = alike_bN[rows, columns], part_N[columns + start] == part_N[rows + start]
        order = np.lexsort((-values, own, rows))  # the likest of each image and kind first
        firsts = np.flatnonzero(np.diff(2 * rows[order] + own[order], prepend=-1))
        place = np.arange(len(order)) - np.repeat(firsts, np.diff(firsts, append=len(order)))
        best = order[place < _KEPT]
        found.append((rows[best] + start, columns[best] + start, values[best]))
    if not found:
        return []
    first, second, value = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((second, first, -value, part_N[first] == part_N[second]))
    return list(zip(first[order].tolist(), second[order].tolist(), value[order].tolist(), strict=True))


def detail(image_HWC: NDArray[Any]) -> Floats:
    """The fine structure of an image, `SIDE` × `SIDE`, each region with the same weight.

    The local mean is taken off and the local deviation divided by, so that neither a lamp nor one strong edge that all
    images have (the rim of a microscope's field) decides.
    """
    small = _blurred(thumbnail(image_HWC, SIDE).astype(np.float32), 0.7)
    fine = small - _blurred(small, 3)
    deviation = np.sqrt(np.maximum(0, _blurred(fine**2, 4)))
    # The usual deviation where there is something at all: one strong edge, or a black surrounding, is not usual.
    some = deviation[deviation > 0.05]
    usual = float(np.median(some)) if some.size else 1.0
    return np.asarray(fine / (deviation + 0.2 * usual + 1e-6), np.float32)


class Fine:
    """A detail with what every comparison of it needs, each made once."""

    def __init__(self, detail_hw: Floats):
        self.detail = detail_hw
        self.size = [fft.next_fast_len(n, real=True) for n in detail_hw.shape]
        self.flat = bool(detail_hw.std() < _FLAT)

    @cached_property
    def waves(self) -> NDArray[np.complex64]:
        """Its Fourier transform."""
        return np.asarray(fft.rfft2(self.detail, self.size))

    @cached_property
    def sums(self) -> NDArray[np.float64]:
        """Of its values and of their squares, summed above and left of each place."""
        exact = self.detail.astype(np.float64)  # differences of large sums
        out = np.zeros((2, exact.shape[0] + 1, exact.shape[1] + 1))
        np.stack([exact, exact**2]).cumsum(axis=1).cumsum(axis=2, out=out[:, 1:, 1:])
        return out

    @cached_property
    def core(self) -> "_Templates":
        """Itself, with room to be shifted."""
        return _Templates([self.detail[_PLAY:-_PLAY, _PLAY:-_PLAY]], self.size)

    @cached_property
    def smaller(self) -> "_Templates":
        """Itself at each scale."""
        zooms = (_zoom(self.detail.shape[0], scale) for scale in _SCALES)
        pictures = [np.asarray(zoom @ self.detail @ zoom.T, np.float32) for zoom in zooms]
        return _Templates([picture[2:-2, 2:-2] for picture in pictures], self.size)

    @cached_property
    def rims(self) -> "_Templates":
        """Its left, right, upper and lower rim."""
        strip, whole = SIDE // 5, self.detail
        rims = (whole[:, :strip], whole[:, -strip:], whole[:strip], whole[-strip:])
        return _Templates([rim[2:-2, 2:-2] for rim in rims], self.size)


class _Templates:
    """Parts to be looked for in pictures of one size: their Fourier transforms, all at once, and lengths."""

    def __init__(self, parts: Sequence[Floats], size: Sequence[int]):
        self.shapes = [part.shape for part in parts]
        self.flat = [bool(part.std() < _FLAT) for part in parts]
        padded = np.zeros((len(parts), *size), np.float32)
        for room, part in zip(padded, parts, strict=True):
            room[: part.shape[0], : part.shape[1]] = part - part.mean()
        self.lengths = np.sqrt((padded**2).sum(axis=(1, 2)))
        self.waves = np.conj(fft.rfft2(padded))


def agreement(a: Floats | Fine, b: Floats | Fine) -> float:
    """How far two details agree at the best small shift and scale, from about 0 to 1."""
    a, b = _fine(a), _fine(b)
    (best,) = _highest(a.core, b)
    if best < SAME:
        for one, other in zip(_highest(a.smaller, b), _highest(b.smaller, a), strict=True):
            best = max(best, one, other)
            if best >= SAME:
                break
    return best


def overlap(a: Floats | Fine, b: Floats | Fine) -> float:
    """How far a rim of the one agrees with some place of the other, as of tiles that were cut with an overlap."""
    return max(_highest(_fine(b).rims, _fine(a)))


def _fine(one: Floats | Fine) -> Fine:
    return one if isinstance(one, Fine) else Fine(one)


def _best(template: Floats, image: Floats) -> float:
    """The highest correlation of the template with a place of the image."""
    fine = Fine(image)
    return _highest(_Templates([template], fine.size), fine)[0]


def _highest(templates: _Templates, image: Fine) -> list[float]:
    """The highest correlation of each template with a place of the image (Lewis 1995): products by Fourier transform,
    means and deviations by sums over windows.
    """
    if image.flat:
        return [0.0] * len(templates.shapes)
    out = []
    all_products = fft.irfft2(image.waves * templates.waves, image.size)
    for products, (height, width), length, flat in zip(
        all_products, templates.shapes, templates.lengths, templates.flat, strict=True
    ):
        products = products[: image.detail.shape[0] - height + 1, : image.detail.shape[1] - width + 1]
        sums, squares = _windows(image.sums, height, width)
        variance = squares - sums**2 / (height * width)
        lengths = np.sqrt(np.maximum(variance, 1e-6 * height * width)) * length
        out.append(0.0 if flat else float((products / np.maximum(lengths, 1e-12)).max()))
    return out


def _windows(sums: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The sum over each window of that size, of the sums above and left of each place."""
    down = sums[:, height:] - sums[:, :-height]
    return np.asarray(down[:, :, width:] - down[:, :, :-width])


@cache
def _zoom(pixels: int, scale: float) -> Floats:
    """The matrix that makes a side smaller, between the pixels by a straight line. A product of matrices takes a tenth
    of the time of `ndimage`, here and for the filters below.
    """
    return np.asarray(ndimage.zoom(np.eye(pixels), (scale, 1), order=1), np.float32)


@cache
def _blur(pixels: int, sigma: float) -> Floats:
    """The matrix of a Gaussian filter along a side."""
    return np.asarray(ndimage.gaussian_filter1d(np.eye(pixels), sigma, axis=0), np.float32)


def _blurred(picture_hw: Floats, sigma: float) -> Floats:
    down, across = (_blur(n, sigma) for n in picture_hw.shape)
    return np.asarray(down @ picture_hw @ across.T)


def _smaller(thumbnails_bhw: NDArray[np.uint8]) -> Floats:
    """Rows of the means of four pixels each."""
    height, width = (n // 2 for n in thumbnails_bhw.shape[1:])
    pairs = thumbnails_bhw[:, : 2 * height, : 2 * width].reshape(-1, height, 2, width, 2)
    return pairs.mean(axis=(2, 4), dtype=np.float32).reshape(len(pairs), -1)


def _unit(rows_ND: Floats) -> Floats:
    """Rows of mean 0 and length 1; those without any structure stay 0, like nothing."""
    rows_ND = rows_ND - rows_ND.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows_ND, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-3, rows_ND / np.maximum(length, 1e-3), 0), np.float32)
