"""How pieces come apart, in a window that shows them whole. Shapes: h w the window."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure, segmentation
from skimage.morphology import local_maxima

from maskwright.regions.runs import runs_of

Pieces = NDArray[np.int32]
"""h w: a number a piece, 0 for none. Numbers need not be without gaps."""
Mask = NDArray[np.bool_]
_ALL, _FROM, _TO = slice(None), slice(1, None), slice(None, -1)
_NEXT: Final = (
    ((_FROM, _ALL), (_TO, _ALL)),
    ((_ALL, _FROM), (_ALL, _TO)),
    ((_FROM, _FROM), (_TO, _TO)),
    ((_FROM, _TO), (_TO, _FROM)),
)
"""Pixels and their neighbours at two sides and two corners."""


def by_distance(pieces_hw: Pieces, neck: float, depth: float, cut: str = "") -> Pieces:
    """The parts, 1 … M, into which pieces fall at their necks, each in one piece.

    Every local maximum of the distance to the piece's edge is a part's middle; a watershed on the distance gives each
    pixel to one, and two parts meet where the distance between them is greatest, in the neck. From the widest neck
    down, two parts are one again if the neck is wider than the share `neck` of the smaller one's own width, or less
    than `depth` pixels short of it in half width (as Grimaud 1992 has it for the dynamics of minima).

    pieces_hw: no two of them share a side. Then each comes apart as if it were alone: on the way to a pixel of another
        piece lies one of none, which is nearer, and the watershed floods each by itself.
    cut: which sides of the window (of `t`op, `b`ottom, `l`eft, `r`ight) cut through a piece, so that what is beyond is
        not outside of it.
    """
    distance_hw = _distances(pieces_hw > 0, cut)
    edged = np.pad(distance_hw, 1)  # a maximum has to have something around it
    seeds_hw = measure.label(local_maxima(edged, connectivity=1)[1:-1, 1:-1], connectivity=1)
    parts_hw = _flooded(-distance_hw, seeds_hw, pieces_hw)
    return _merged(parts_hw, pieces_hw, distance_hw, neck, depth)


def by_seeds(pieces_hw: Pieces, seeds_hw: NDArray[np.uint8]) -> Pieces:
    """The parts, 1 … M: each pixel of a piece goes to the nearest of its seeds, along a way inside the piece. A piece
    without a seed is one part.

    pieces_hw: no two of them share a side.
    seeds_hw: 0 where there is none; the connected pixels of one value in a piece are a seed.
    """
    pieces_hw = _dense(pieces_hw)
    numbers_hw = measure.label(np.where(pieces_hw > 0, seeds_hw, 0), background=0, connectivity=1).astype(np.int32)
    has_seed = np.zeros(pieces_hw.max(initial=0) + 1, bool)
    has_seed[pieces_hw[numbers_hw > 0]] = True
    alone_hw = (pieces_hw > 0) & ~has_seed[pieces_hw]
    numbers_hw[alone_hw] = pieces_hw[alone_hw] + numbers_hw.max(initial=0)
    return _dense(_flooded(_to_nearest(numbers_hw > 0, pieces_hw), numbers_hw, pieces_hw))


def _distances(mask_hw: Mask, cut: str) -> NDArray[np.float64]:
    """To the nearest pixel outside; outside the picture is outside."""
    pad = [[int(side not in cut) for side in pair] for pair in ("tb", "lr")]
    height, width = mask_hw.shape
    padded = np.pad(mask_hw, pad)
    if padded.all():  # nothing is outside: all are alike
        return np.ones(mask_hw.shape)
    distance = ndimage.distance_transform_edt(padded)
    return np.asarray(distance[pad[0][0] : pad[0][0] + height, pad[1][0] : pad[1][0] + width], np.float64)


def _to_nearest(seeds_hw: Mask, pieces_hw: Pieces) -> NDArray[np.float64]:
    """Of each pixel to the nearest seed of its own piece; each piece has one."""
    if not seeds_hw.any():
        return np.zeros(pieces_hw.shape)
    away_hw, nearest = ndimage.distance_transform_edt(~seeds_hw, return_indices=True)
    strange = (pieces_hw[tuple(nearest)] != pieces_hw) & (pieces_hw > 0)
    boxes = ndimage.find_objects(pieces_hw)
    for piece in np.unique(pieces_hw[strange]):  # another one's seed is nearer: it is looked at alone
        box = boxes[piece - 1]
        own = pieces_hw[box] == piece
        away_hw[box][own] = ndimage.distance_transform_edt(~(seeds_hw[box] & own))[own]
    return np.asarray(away_hw, np.float64)


def _dense(numbers_hw: NDArray[Any]) -> Pieces:
    """The same regions numbered 1 … M in the order of their numbers."""
    runs = runs_of(numbers_hw)
    _, places = np.unique(runs.values, return_inverse=True)
    out_hw = np.zeros(numbers_hw.shape, np.int32)
    out_hw[numbers_hw != 0] = np.repeat(places + 1, runs.lengths)
    return out_hw


def _flooded(height_hw: NDArray[np.float64], seeds_hw: Pieces, pieces_hw: Pieces) -> Pieces:
    """The watershed from the seeds, each inside its piece."""
    # Of seeds alike in height the flood takes any first, as its heap lies, and that depends on the other pieces. So
    # they differ a little, in reading order, by less than the square roots of two whole numbers do below 16,000².
    seeds = np.flatnonzero(seeds_hw)
    height_hw = height_hw.copy()
    height_hw.ravel()[seeds] -= np.linspace(1e-5, 0, len(seeds), endpoint=False)
    return np.asarray(segmentation.watershed(height_hw, seeds_hw, mask=pieces_hw > 0, connectivity=1), np.int32)


def _merged(parts_hw: Pieces, pieces_hw: Pieces, distance_hw: NDArray[np.float64], neck: float, depth: float) -> Pieces:
    """The parts 1 … M, those that are only bulges of one joined."""
    count = int(parts_hw.max(initial=0))
    peaks = np.zeros(count + 1)
    np.maximum.at(peaks, parts_hw.ravel(), distance_hw.ravel())
    parent = list(range(count + 1))
    peak = peaks.tolist()

    def root(part: int) -> int:
        while parent[part] != part:
            parent[part] = part = parent[parent[part]]
        return part

    for first, second, saddle in _necks(parts_hw, pieces_hw, distance_hw):
        low, high = root(first), root(second)
        if low == high:
            continue
        if peak[low] > peak[high] or (peak[low] == peak[high] and low < high):
            low, high = high, low
        if peak[low] - saddle < max(depth, (1 - neck) * peak[low]):
            parent[low] = high
    roots = np.array([root(part) for part in range(count + 1)])
    return _dense(roots[parts_hw])


def _necks(parts_hw: Pieces, pieces_hw: Pieces, distance_hw: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    """The pairs of parts that share a side, with the greatest distance at which they meet; the widest first.

    They meet at corners too: a ridge that runs askew would else look jagged.
    """
    pairs, saddles, beside = [], [], []
    for here, there in _NEXT:
        first, second = parts_hw[here], parts_hw[there]
        touch = (first != second) & (pieces_hw[here] == pieces_hw[there])
        low, high = np.minimum(first[touch], second[touch]), np.maximum(first[touch], second[touch])
        pairs.append(low.astype(np.int64) << 32 | high)
        saddles.append(np.minimum(distance_hw[here][touch], distance_hw[there][touch]))
        beside.append(np.full(len(low), first.shape[0] == parts_hw.shape[0] or first.shape[1] == parts_hw.shape[1]))
    pair, saddle, side = (np.concatenate(values) for values in (pairs, saddles, beside))
    keys, place = np.unique(pair, return_inverse=True)
    widest, sharing = np.zeros(len(keys)), np.zeros(len(keys), bool)
    np.maximum.at(widest, place, saddle)
    sharing[place[side]] = True
    keys, widest = keys[sharing], widest[sharing]
    order = np.argsort(-widest, kind="stable")
    keys = keys[order]
    return list(zip((keys >> 32).tolist(), (keys & 0xFFFFFFFF).tolist(), widest[order].tolist(), strict=True))
