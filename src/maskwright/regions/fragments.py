"""Fragments: parts of objects as windows show them one by one, joined to objects at the end. N fragments or objects."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from maskwright.errors import DataError
from maskwright.regions.runs import Numbers

_MOST = np.iinfo(np.int32).max


class Joined(NamedTuple):
    """The objects that fragments make up, in reading order of their first pixels."""

    numbers: NDArray[np.int32]
    """By fragment's number, its object's; 0 at 0 and for what is left out."""
    labels: NDArray[np.uint8]
    boxes: Numbers
    areas: Numbers
    firsts: Numbers


class Fragments:
    """Fragments 1, 2, 3 … with label, box, area and first pixel (its place in the flat picture), and which are one."""

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[tuple[Numbers, Numbers, Numbers, Numbers]] = []
        self._pairs: list[Numbers] = []

    def add(self, labels_N: Numbers, boxes_N4: Numbers, areas_N: Numbers, firsts_N: Numbers) -> int:
        """Note N more; returns the number before the first of them.

        Raises:
            DataError: there are more than int32 can count.
        """
        before = self.count
        self.count += len(areas_N)
        if self.count > _MOST:
            raise DataError(
                f"The labels fall into more than {_MOST:,} pieces, more than can be numbered; they look like noise. "
                "Smooth them first (clean-up step `smooth`)."
            )
        self._parts.append((labels_N, boxes_N4, areas_N, firsts_N))
        return before

    def join(self, pairs_P2: Numbers) -> None:
        """The two of each pair are one object."""
        if len(pairs_P2):
            self._pairs.append(np.unique(pairs_P2, axis=0))

    def joined(self, smallest: int = 1, gone: NDArray[np.bool_] | None = None) -> Joined:
        """The objects of at least `smallest` pixels. gone: by number, the fragments that are none any more."""
        labels, boxes, areas, firsts = self._columns()
        count, group = self._groups()
        if gone is not None:
            areas[gone[1:]] = 0
        first = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(first, group, np.where(areas > 0, firsts, first[0] if count else 0))
        area, box = np.zeros(count, np.int64), np.zeros((count, 4), np.int64)
        np.add.at(area, group, areas)
        box[:, :2] = _MOST
        for side, keep in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
            keep.at(box[:, side], group, boxes[:, side])
        label = np.zeros(count, np.uint8)
        label[group[::-1]] = labels[::-1]  # of several, that of the first fragment
        order = np.argsort(first, kind="stable")
        order = order[area[order] >= max(1, smallest)]
        new = np.zeros(count, np.int32)
        new[order] = np.arange(1, len(order) + 1)
        numbers = np.concatenate([np.zeros(1, np.int32), new[group]])
        return Joined(numbers, label[order], box[order], area[order], first[order])

    def _columns(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        empty = np.zeros(0, np.int64)
        labels, boxes, areas, firsts = zip((empty, empty.reshape(0, 4), empty, empty), *self._parts, strict=True)
        return np.concatenate(labels), np.concatenate(boxes), np.concatenate(areas), np.concatenate(firsts)

    def _groups(self) -> tuple[int, Numbers]:
        """How many objects, and the one of each fragment, from 0."""
        if not self._pairs:
            return self.count, np.arange(self.count)
        first, second = np.concatenate(self._pairs).T - 1
        links = coo_array((np.ones(len(first), bool), (first, second)), shape=(self.count, self.count))
        count, group = connected_components(links, directed=False)
        return int(count), group.astype(np.int64)
