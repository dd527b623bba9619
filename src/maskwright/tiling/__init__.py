"""Tiling: large images in windows, exact where the network allows it, blended elsewhere, in bounded memory."""

from maskwright.tiling.bands import Block, Network, Source, Whole, bands, gaussian, logits_of
from maskwright.tiling.borders import mirrored
from maskwright.tiling.windows import (
    Cost,
    Reach,
    Tiles,
    Window,
    blended_windows,
    cost,
    exact_windows,
    plan_windows,
    smallest_window,
)

__all__ = [
    "Block",
    "Cost",
    "Network",
    "Reach",
    "Source",
    "Tiles",
    "Whole",
    "Window",
    "bands",
    "blended_windows",
    "cost",
    "exact_windows",
    "gaussian",
    "logits_of",
    "mirrored",
    "plan_windows",
    "smallest_window",
]
