"""Anti-aliased resizing in plain operators, for programs whose Resize is another one: OpenVINO's knows no border.

Each new pixel is the weighted mean of the old ones under a triangle, twice as wide as the coarser of both pixels.
"""

import numpy as np

from maskwright.exports.graph import Graph


def resized(g: Graph, image: str, own: list[str], working: list[str]) -> str:
    """B C H W → B C h w, as `Preprocess.resize`; between two sides it is as large as the taps are many."""
    for axis, (n, wanted) in enumerate(zip(own, working, strict=True), start=2):
        place, weights = _taps(g, n, wanted)
        if axis == 2:
            weights = g("Unsqueeze", weights, g.numbers(2))
        taps = g("Mul", g("Gather", image, place, axis=axis), weights)
        image = g("ReduceSum", taps, g.numbers(axis + 1), keepdims=0)
    return image


def _taps(g: Graph, n: str, wanted: str) -> tuple[str, str]:
    """For each of the `wanted` pixels those of n that it is made of, and their weights; both w T."""
    half, one, nothing = (g.constant(np.float32(value)) for value in (0.5, 1, 0))
    step = g("Div", g.cast(n, "float32"), g.cast(wanted, "float32"))
    width = g("Max", step, one)
    middle = g("Unsqueeze", g("Mul", g("Add", g.cast(g.count(wanted), "float32"), half), step), g.numbers(1))
    first = g.cast(g("Floor", g("Sub", middle, width)), "int64")
    taps = g("Add", g("Mul", g.cast(g("Ceil", width), "int64"), g.numbers(2)), g.numbers(1))
    place = g("Add", first, g.count(taps))
    away = g("Abs", g("Div", g("Sub", g("Add", g.cast(place, "float32"), half), middle), width))
    inside = g("Max", g("Min", place, g("Sub", n, g.numbers(1))), g.numbers(0))
    # What lies beyond the border weighs nothing.
    weights = g("Mul", g("Max", g("Sub", one, away), nothing), g.cast(g("Equal", inside, place), "float32"))
    return inside, g("Div", weights, g("ReduceSum", weights, g.numbers(1), keepdims=1))
