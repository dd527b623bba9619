"""Connected components of a plane of labels, in bands. Shapes: H W the picture, h w a band, N components."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import measure

from maskwright.files import Plane
from maskwright.regions.fragments import Fragments, Joined
from maskwright.regions.objects import Objects
from maskwright.regions.runs import Numbers, extents, runs_of
from maskwright.regions.scratch import Scratch, bands, in_memory, table_of


def components(
    labels: Plane,
    *,
    classes: Sequence[int],
    scratch: Scratch = in_memory,
    connectivity: int = 1,
    smallest: int = 1,
    band: int | None = None,
) -> Objects:
    """The pieces of each class: pixels of one label that hang together.

    Two classes that touch are two pieces. The result is that of the whole picture at once, whatever the band: memory
    grows with the band and with the number of pieces, not with the picture.

    labels: H W uint8.
    classes: the labels whose pieces are wanted; others, `IGNORED` too, are no piece.
    scratch: where the numbers are written.
    connectivity: 1, pixels that share a side belong together; 2, a side or a corner.
    smallest: pieces of fewer pixels are left out.
    band: rows that are read at once; None: as many as two million pixels fill.

    Raises:
        DataError: there are more pieces than int32 can number.
    """
    ids = scratch(labels.shape, "int32")
    found = number(labels, ids, {label: label for label in classes}, connectivity, smallest, band)
    return Objects(ids, found.labels, found.boxes, found.areas)


def number(
    labels: Plane, ids: Plane, groups: Mapping[int, int], connectivity: int, smallest: int, band: int | None = None
) -> Joined:
    """The pieces, written to `ids`. groups: label → the label it counts as; those that are not in it are no piece."""
    table = table_of({label: group + 1 for label, group in groups.items()})  # 0 is none, and may be a class
    fragments, width = Fragments(), labels.shape[1]
    above: tuple[NDArray[Any], NDArray[Any]] | None = None
    for rows, columns in bands(labels.shape, band):
        tags_hw = table[labels.read(rows, columns)]
        pieces_hw = measure.label(tags_hw, background=0, connectivity=connectivity).astype(np.int32, copy=False)
        numbers = _noted(fragments, tags_hw, pieces_hw, smallest, rows.start * width)
        pieces_hw = numbers[pieces_hw]
        if above is not None:
            fragments.join(_across(above, (tags_hw[0], pieces_hw[0]), connectivity))
        above = tags_hw[-1], pieces_hw[-1]
        ids.write(rows, columns, pieces_hw)
    found = fragments.joined(smallest)
    if not np.array_equal(found.numbers, np.arange(len(found.numbers))):
        renumber(ids, found.numbers, band)
    return found


def renumber(ids: Plane, numbers: NDArray[np.int32], band: int | None = None) -> None:
    """Replace each number of a plane by that in the table."""
    for rows, columns in bands(ids.shape, band):
        ids.write(rows, columns, numbers[ids.read(rows, columns)])


def _noted(
    fragments: Fragments, tags_hw: NDArray[np.uint8], pieces_hw: NDArray[np.int32], smallest: int, start: int
) -> NDArray[np.int32]:
    """The fragments' numbers by those of the band. A speck that ends inside the band is dropped at once: noise would
    else fill the memory with its fragments.

    start: the flat place of the band's first pixel.
    """
    runs, count = runs_of(pieces_hw), int(pieces_hw.max(initial=0))
    firsts, boxes, areas = extents(runs, count)
    inside = (boxes[:, 0] > 0) & (boxes[:, 2] < len(pieces_hw))
    keep = np.flatnonzero(~(inside & (areas < smallest)))
    first = firsts[keep]
    at = runs.rows[first], runs.starts[first]
    labels = tags_hw[at].astype(np.int64) - 1
    boxes = boxes[keep] + np.array([1, 0, 1, 0]) * (start // tags_hw.shape[1])
    before = fragments.add(labels, boxes, areas[keep], start + at[0] * tags_hw.shape[1] + at[1])
    numbers = np.zeros(count + 1, np.int32)
    numbers[keep + 1] = before + 1 + np.arange(len(keep))
    return numbers


def _across(
    above: tuple[NDArray[Any], NDArray[Any]], below: tuple[NDArray[Any], NDArray[Any]], connectivity: int
) -> Numbers:
    """The fragments, P 2, that touch across the line between two bands: tags and numbers of the rows at it."""
    pairs = []
    width = len(above[0])
    for shift in (0,) if connectivity == 1 else (-1, 0, 1):
        first, second = slice(max(0, -shift), width - max(0, shift)), slice(max(0, shift), width + min(0, shift))
        same = (above[0][first] == below[0][second]) & (above[1][first] > 0) & (below[1][second] > 0)
        pairs.append(np.stack([above[1][first][same], below[1][second][same]], axis=1))
    return np.concatenate(pairs).astype(np.int64)
