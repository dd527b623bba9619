"""What the steps share that look at connected pieces: which labels are around each. N pieces, P pairs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maskwright.records import IGNORED
from maskwright.regions.clean_up.registry import Task
from maskwright.regions.components import components
from maskwright.regions.objects import Objects
from maskwright.regions.runs import Numbers
from maskwright.regions.scratch import bands, grown


def pieces_of(task: Task, classes: tuple[int, ...]) -> Objects:
    """The connected pieces of these classes; pixels that share a side belong together."""
    return components(task.labels, classes=classes, scratch=task.scratch, band=task.band)


class Sides(NamedTuple):
    """How often a pixel's side of a piece is next to a label outside of it: P numbers each, by piece, then label."""

    pieces: Numbers
    labels: Numbers
    counts: Numbers


def around(task: Task, pieces: Objects, chosen_N: NDArray[np.bool_]) -> Sides:
    """What the chosen pieces, 0 … N-1, are next to, where that is not another chosen one."""
    table = np.concatenate([[0], np.where(chosen_N, np.arange(1, len(chosen_N) + 1), 0)])
    keys, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for rows, columns in bands(task.labels.shape, task.band):
        wide, inner = grown(rows, 1, task.labels.shape[0])
        piece_hw = table[pieces.ids.read(wide, columns)]
        if not piece_hw.any():
            continue
        labels_hw = task.labels.read(wide, columns)
        found = []
        for here, there in _sides(inner, len(piece_hw)):
            meet = (piece_hw[here] > 0) & (piece_hw[there] == 0)
            found.append((piece_hw[here][meet] - 1) << 8 | labels_hw[there][meet])
        key, count = np.unique(np.concatenate(found), return_counts=True)
        keys.append(key)
        counts.append(count)
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.zeros(len(key), np.int64)
    np.add.at(total, place, np.concatenate(counts))
    return Sides(key >> 8, key & 0xFF, total)


def most_around(sides: Sides, count: int, background: int | None) -> Numbers:
    """N: the label that each piece is next to most, of several background, then the first; -1 where there is none."""
    behind = np.where(sides.labels == background, -1, sides.labels)
    order = np.lexsort((-behind, sides.counts, sides.pieces))  # of each piece the last one stays
    out = np.full(count, -1, np.int64)
    out[sides.pieces[order]] = sides.labels[order]
    return out


def relabel(task: Task, pieces: Objects, new_N: Numbers) -> None:
    """Give each piece a new label; -1 leaves it."""
    table = np.concatenate([[-1], new_N])
    if not (new_N >= 0).any():
        return
    for rows, columns in bands(task.labels.shape, task.band):
        new_hw = table[pieces.ids.read(rows, columns)]
        if (new_hw >= 0).any():
            labels_hw = task.labels.read(rows, columns)
            task.labels.write(rows, columns, np.where(new_hw >= 0, new_hw, labels_hw).astype(np.uint8))


def dissolve(task: Task, pieces: Objects, chosen_N: NDArray[np.bool_]) -> None:
    """Each chosen piece takes the label that most of its surroundings have, of those that stay: chosen ones do not
    count, nor do ignored pixels. One with nothing around it becomes background, if there is one, and else stays.
    """
    if not chosen_N.any():
        return
    sides = around(task, pieces, chosen_N)
    known = sides.labels != IGNORED
    new = most_around(Sides(*(part[known] for part in sides)), len(chosen_N), task.background)
    if task.background is not None:
        new[new < 0] = task.background
    relabel(task, pieces, np.where(chosen_N, new, -1))


def _sides(inner: slice, height: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Pixels of the rows `inner` of a window, and their neighbours below, above, right and left."""
    every, start, stop = slice(None), inner.start, inner.stop
    below = min(stop, height - 1)
    yield (slice(start, below), every), (slice(start + 1, below + 1), every)
    above = max(start, 1)
    yield (slice(above, stop), every), (slice(above - 1, stop - 1), every)
    yield (inner, slice(None, -1)), (inner, slice(1, None))
    yield (inner, slice(1, None)), (inner, slice(None, -1))
