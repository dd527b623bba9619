"""Tiling: large images in windows, exact where the network allows it, blended elsewhere, in bounded memory."""

from maskwright.tiling.bands import (
    Block,
    Inside,
    Network,
    Source,
    Whole,
    bands,
    block_rows,
    first_input_row,
    gaussian,
    logits_of,
)
from maskwright.tiling.shelf import Shelf
from maskwright.tiling.views import View, Views, probabilities_of, seen_from_all_sides
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
    spared,
)

__all__ = [
    "Block",
    "Cost",
    "Inside",
    "Network",
    "Reach",
    "Shelf",
    "Source",
    "Tiles",
    "View",
    "Views",
    "Whole",
    "Window",
    "bands",
    "blended_windows",
    "block_rows",
    "cost",
    "exact_windows",
    "first_input_row",
    "gaussian",
    "logits_of",
    "plan_windows",
    "probabilities_of",
    "seen_from_all_sides",
    "smallest_window",
    "spared",
]
