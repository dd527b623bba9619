"""Simple points: pixels that can change sides without joining, cutting, making or filling anything.

Foreground is 4-connected and background 8-connected, as in the software of ISBI-2012; what lies outside of the image is
background.
"""

from heapq import heappop, heappush
from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.metrics.regions import EIGHT, FOUR, Mask, pieces

AROUND: Final = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))
"""The eight neighbours, row by row. If neighbour k is foreground, bit k of the neighbourhood's code is set."""


def _arcs(code: int) -> tuple[int, int]:
    """In how many pieces foreground and background around a pixel touch it."""
    ring = np.zeros((3, 3), bool)
    for bit, (y, x) in enumerate(AROUND):
        ring[1 + y, 1 + x] = code >> bit & 1
    ground = ~ring
    ground[1, 1] = False
    beside = pieces(ring, FOUR)[FOUR]  # foreground at a corner alone does not touch the pixel
    return len(set(beside.tolist()) - {0}), int(pieces(ground, EIGHT).max())


ARCS: Final = tuple(_arcs(code) for code in range(256))
"""Neighbourhood → pieces of foreground, pieces of background that touch the pixel in the middle."""
SIMPLE: Final = bytes(arcs == (1, 1) for arcs in ARCS)
"""Neighbourhood → 1 if the pixel in the middle is simple, whichever side it is on.

Bertrand and Malandain 1994, Pattern Recognition Letters 15:169.
"""


def warped(source_HW: Mask, target_HW: Mask, certainty_HW: NDArray[np.floating]) -> Mask:
    """The source moved towards the target as far as flipping simple points one by one leads, H W.

    In sweeps over the pixels that still differ, until a sweep flips none. The order of a sweep is that of the
    challenge's software: by falling certainty, alike ones column by column. Another order may end at another mask.

    V. Jain et al. 2010, Boundary learning by optimization with topological constraints, CVPR.
    """
    width = source_HW.shape[1] + 2
    # A flat row of bytes with a frame of background around the image: a neighbour is an addition away.
    pixels = bytearray(np.pad(source_HW, 1).tobytes())
    steps = [y * width + x for y, x in AROUND]
    x, y = np.nonzero((source_HW != target_HW).T)
    order = np.argsort(-certainty_HW[y, x], kind="stable")
    differing = ((y + 1) * width + x + 1)[order].tolist()
    places = {pixel: place for place, pixel in enumerate(differing)}
    count = len(differing)
    # The next pixel to look at, as sweep · count + place. A pixel that was not simple stays so until a neighbour
    # flips, so only those are looked at again: in this sweep if it has not passed them yet, else in the next.
    waiting, is_waiting = list(range(count)), bytearray(b"\1") * count
    while waiting:
        sweep, place = divmod(heappop(waiting), count)
        is_waiting[place] = 0
        here = differing[place]
        if not SIMPLE[_code(pixels, here, steps)]:
            continue
        pixels[here] ^= 1
        del places[here]
        for step in steps:
            other = places.get(here + step)
            if other is not None and not is_waiting[other]:
                is_waiting[other] = 1
                heappush(waiting, (sweep + (other < place)) * count + other)
    return np.frombuffer(pixels, bool).reshape(-1, width)[1:-1, 1:-1]


def _code(pixels: bytearray, here: int, steps: list[int]) -> int:
    a, b, c, d, e, f, g, h = steps
    # Written out, as it is most of the work.
    return (
        pixels[here + a]
        | pixels[here + b] << 1
        | pixels[here + c] << 2
        | pixels[here + d] << 3
        | pixels[here + e] << 4
        | pixels[here + f] << 5
        | pixels[here + g] << 6
        | pixels[here + h] << 7
    )


def joins_or_cuts(mask_HW: Mask, which_HW: Mask) -> Mask:
    """Which of these pixels, flipped alone, would join two pieces of foreground or cut one in two, H W."""
    framed = np.pad(mask_HW, 1)
    foreground, ground = pieces(framed, FOUR), pieces(~framed, EIGHT)
    found = np.zeros(mask_HW.shape, bool)
    for y, x in np.argwhere(which_HW):
        around = np.s_[y : y + 3, x : x + 3]
        if not mask_HW[y, x]:
            found[y, x] = len(set(foreground[around][FOUR].tolist()) - {0}) > 1
            continue
        code = sum(int(framed[y + 1 + v, x + 1 + u]) << bit for bit, (v, u) in enumerate(AROUND))
        # Taking the pixel away joins the arcs of background around it. Two that were one background already close a
        # ring then, and the ring cuts what it passes through.
        found[y, x] = ARCS[code][1] > len(set(ground[around].ravel().tolist()) - {0})
    return found
