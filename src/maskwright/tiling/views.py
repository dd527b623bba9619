"""Test-time augmentation: an image is looked at in several ways, and the mean of what is said of them counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import field_validator
from torch import Tensor

from maskwright.records import Record
from maskwright.tiling.bands import Network
from maskwright.tiling.windows import Reach


class Views(Record):
    """In which ways each image is looked at; the probabilities of all are averaged, each counting the same."""

    flips: Literal["none", "horizontal", "vertical", "both"] = "none"
    """horizontal: also with left and right exchanged; vertical: top and bottom; both: also one, the other, and both."""
    turns: Literal["none", "half", "quarter"] = "none"
    """half: also upside down; quarter: also turned by 90, 180 and 270 degrees. With flips, each of the flipped too."""
    scales: tuple[float, ...] = (1.0,)
    """The image is looked at in each of these sizes, as multiples of the working size."""

    @field_validator("scales")
    @classmethod
    def _some_and_none_too_small(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if not scales or min(scales) <= 0 or len(set(scales)) < len(scales):
            raise ValueError("scales are different numbers above 0, 1 that of the image as it is")
        return scales

    @property
    def ways(self) -> "tuple[View, ...]":
        """The flips and turns together, each once; the first is the image as it is."""
        flips = [(False, False)]
        flips += [(False, True)] * (self.flips in {"horizontal", "both"})
        flips += [(True, False)] * (self.flips in {"vertical", "both"})
        flips += [(True, True)] * (self.flips == "both")
        # A quarter turn exchanges rows and columns and reverses the new rows; two of them reverse both.
        turns = {"none": [(False, False, False)], "half": [(False, False, False), (False, True, True)]}
        every = [(False, False, False), (True, True, False), (False, True, True), (True, False, True)]
        found: dict[View, None] = {}
        for swap, down, across in turns.get(self.turns, every):
            for rows, columns in flips:
                # The flip comes first; where rows and columns change places afterwards, so do its axes.
                first, second = (columns, rows) if swap else (rows, columns)
                found[View(swap, first != down, second != across)] = None
        return tuple(found)

    @property
    def count(self) -> int:
        """How often each pixel is looked at, all scales taken together."""
        return len(self.ways) * len(self.scales)


@dataclass(frozen=True)
class View:
    """One way to look at an image … H W: rows and columns change places, then rows are reversed, then columns."""

    swap: bool = False
    rows: bool = False
    columns: bool = False

    def of(self, images: Tensor) -> Tensor:
        """The image looked at in this way."""
        images = images.transpose(-1, -2) if self.swap else images
        return images.flip(self._dims) if self._dims else images

    def undone(self, values: Tensor) -> Tensor:
        """What was said of the image looked at, where it belongs in the image."""
        values = values.flip(self._dims) if self._dims else values
        return values.transpose(-1, -2) if self.swap else values

    @property
    def _dims(self) -> list[int]:
        return [dim for dim, turned in ((-2, self.rows), (-1, self.columns)) if turned]


@dataclass(frozen=True)
class EvenReach:
    """The reach of a network that looks at its windows from all sides: as far before as after."""

    stride: int
    before: int
    after: int
    margin: int
    is_local: bool


def seen_from_all_sides(
    network: Network, reach: Reach, ways: Sequence[View], *, together: bool = True
) -> tuple[Network, Reach]:
    """The network that looks at each batch in these ways, and its reach; one way alone changes nothing.

    It gives the logarithm of the mean of the probabilities, K h w, two classes for a single logit: as logits do, they
    become probabilities by a softmax and can be blended. Windows must start at multiples of the stride, and images
    have a size that fits: then a reversed one has the same grid.

    together: whether all ways of one shape go through the network as one batch; else it takes less memory.
    """
    if len(ways) == 1:
        return network, reach
    far = max(reach.before, reach.after)
    at_once = [[view for view in ways if view.swap == swap] for swap in (False, True)]
    groups = [group for group in at_once if group] if together else [[view] for view in ways]
    even = EvenReach(reach.stride, far, far, reach.margin, reach.is_local)

    def mean(images_BChw: Tensor) -> Tensor:
        total: Tensor | None = None
        for group in groups:
            logits = network(torch.cat([view.of(images_BChw) for view in group])).float()
            # Not split by the batch's length: a trace would keep that.
            for view, part in zip(group, logits.chunk(len(group)), strict=True):
                share = view.undone(probabilities_of(part, 1))
                total = share if total is None else total + share
        assert total is not None, "there is a way to look"
        # Nothing is impossible: the logarithm of 0 would spoil what it is blended with.
        return (total / len(ways)).clamp(min=torch.finfo(total.dtype).tiny).log()

    return mean, even


def probabilities_of(logits: Tensor, dim: int) -> Tensor:
    """Probabilities over all classes along a dimension; a single logit gives two."""
    if logits.shape[dim] == 1:
        foreground = logits.sigmoid()
        return torch.cat([1 - foreground, foreground], dim)
    return logits.softmax(dim)
