"""The ladder: networks from cheap to dear, and how many steps each must be able to take to be worth its price.

A wider network learns more from every step and takes fewer of them in the same time. Where one overtakes the other is
from EXPERIMENTS.md, "the ladder"; what a step costs is measured on the machine at hand.
"""

import math
from typing import NamedTuple

from maskwright.data.fingerprint import Fingerprint
from maskwright.model import UNetRecord

LARGEST = 1536
"""Pixels a side, as a mean of both, up to which images are worked on as they are."""
CONTEXT = 320
"""Pixels a side from which halving an image of many classes pays while time is short."""
FINEST = 1.5
"""Pixels that the thinnest structure keeps on the grid of the first layer: a line of less is lost there."""


class Rung(NamedTuple):
    """One size of network."""

    scale: float
    stem: int
    base: int
    max_width: int
    light: bool
    """Whether the decoder has one convolution a level in place of two."""
    steps: int
    """Fewer than so many steps, and the rung below does better."""

    def __str__(self) -> str:
        parts = [f"widths {self.base} … {self.max_width}"]
        parts += [f"stem {self.stem}"] if self.stem > 1 else []
        parts += [f"scale {self.scale:g}"] if self.scale != 1 else []
        return ", ".join(parts)

    def network(self, f: Fingerprint) -> UNetRecord:
        """The network of this rung, at most 4 deep, less where the bottleneck would see under 8 pixels a side."""
        side = min(f.median) * self.scale
        return UNetRecord(
            in_channels=f.channels,
            classes=len(f.classes),
            depth=max(1, min(4, int(math.log2(max(2, side / 8 / self.stem))))),
            base=self.base,
            max_width=self.max_width,
            stem=self.stem,
            decoder_convolutions=1 if self.light else None,
        )


class Ladder(NamedTuple):
    """The rungs for one data set, cheapest first, and why the grid is as coarse or as fine as it is."""

    rungs: tuple[Rung, ...]
    grid: str


def ladder(f: Fingerprint) -> Ladder:
    """The ladder for a data set."""
    side = math.sqrt(f.median[0] * f.median[1])
    scale = 2.0 ** -math.ceil(math.log2(side / LARGEST)) if side > LARGEST else 1.0
    said = (
        f"images of {f.median[0]}×{f.median[1]} are worked on smaller, so that a crop shows context"
        if scale < 1
        else "images are worked on as they are"
    )
    full = Rung(scale, 1, 32, 512, light=False, steps=1500)
    if thin := _thin(f, scale):
        return Ladder((*_widths(scale, 1), full), thin)
    if min(f.median) * scale < 128:
        return Ladder((*_widths(scale, 1), full), said)
    if len(f.classes) > 2 and side * scale > CONTEXT:
        whole = Rung(scale, 2, 32, 256, light=True, steps=1200)
        said += "; at half the size, while time is short: many classes are told by context, and more images are seen"
        return Ladder((*_widths(scale / 2, 2), whole, full), said)
    return Ladder((*_widths(scale, 2), full), said)


def _widths(scale: float, stem: int) -> tuple[Rung, ...]:
    return (
        Rung(scale, stem, 16, 128, light=True, steps=0),
        Rung(scale, stem, 24, 160, light=True, steps=220),
        Rung(scale, stem, 32, 256, light=True, steps=500),
    )


def _thin(f: Fingerprint, scale: float) -> str:
    """Why the first layer must not halve the grid; empty: it may."""
    known = [(width, name) for width, name in zip(f.thickness, f.classes, strict=False) if width]
    if len(f.classes) > 2 or not known:
        return ""
    width, name = min(known)
    if width * scale / 2 >= FINEST:
        return ""
    return f"{name} is {width:.2g} pixels wide: half the grid would lose it, so the first layer keeps it whole"
