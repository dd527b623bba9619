"""Sizes that a graph works out: how far a network's image is padded, as a rule for any size that a graph can follow."""

from dataclasses import dataclass

from maskwright.model import UNetRecord
from maskwright.model.sizes import fitting_input, geometry

LONGEST = 2**16
"""Pixels a side up to which working sizes are known to be right."""
TRIED = 300
"""Sizes at which the rule is compared with what it stands for."""


@dataclass(frozen=True)
class Padding:
    """An image of n pixels a side is seen in `first` + `step` · ⌈(n - `covers`) / `step`⌉ pixels, at least `first`.

    Of these, `before` stand before its own. They mirror it; where a same-padded network's image is too small to
    be mirrored that far, its last row or column is repeated.
    """

    before: int
    first: int
    step: int
    covers: int
    """The largest image that is seen in `first` pixels."""
    repeats: bool
    """Whether small images are repeated rather than mirrored again and again."""

    def __call__(self, n: int) -> int:
        """Pixels in which the network sees n."""
        return self.first + max(0, -(-(n - self.covers) // self.step)) * self.step


def padding(record: UNetRecord) -> Padding:
    """The rule of a network; `anysize.fitted` pads by it."""
    if record.padding == "same":
        return Padding(before=0, first=record.stride, step=record.stride, covers=record.stride, repeats=True)
    margin = geometry(record).margin
    first = fitting_input(record, 1)
    covers = first - 2 * margin
    rule = Padding(margin, first, fitting_input(record, covers + 1) - first, covers, repeats=False)
    assert all(rule(n) == fitting_input(record, n) for n in range(1, TRIED)), "sizes that fit are evenly spaced"
    return rule
