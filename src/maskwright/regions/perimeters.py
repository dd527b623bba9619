"""The perimeters of objects. Shapes: h w a window, N objects."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_DIAGONAL: Final = np.sqrt(2.0)
_WEIGHTS: Final = np.zeros(50)
_WEIGHTS[[5, 7, 15, 17, 25, 27]] = 1
_WEIGHTS[[21, 33]] = _DIAGONAL
_WEIGHTS[[13, 23]] = (1 + _DIAGONAL) / 2
"""By 1 + 2 · neighbours on the rim that share a side + 10 · those that share a corner."""


def perimeters(ids_hw: NDArray[np.integer[Any]], inner: slice, out_N: NDArray[np.float64]) -> None:
    """Add the perimeter of the objects in the rows `inner` of a window to `out_N`.

    The line through the middles of the rim's pixels: a pixel of an object is on its rim if one of the four that share a
    side with it is not of the object, and counts 1, √2 or between by how its neighbours on the rim lie.

    ids_hw: object numbers, with two rows more above and below than `inner`, where the picture has them.

    Benkrid and Crookes 2000, as `skimage.measure.perimeter` computes it.
    """
    rim = ids_hw != 0
    inside = rim.copy()
    for near, far in (_SIDES["down"], _SIDES["right"]):
        same = ids_hw[near] == ids_hw[far]
        inside[near] &= same
        inside[far] &= same
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    rim &= ~inside
    code = rim.astype(np.uint8)
    for name, (near, far) in _SIDES.items():
        together = rim[near] & rim[far] & (ids_hw[near] == ids_hw[far])
        step = together.astype(np.uint8) * np.uint8(2 if name in ("down", "right") else 10)
        code[near] += step
        code[far] += step
    # The window's outermost rows would be on the rim by its edge alone; they only lend their neighbours theirs.
    shown = rim[inner]
    np.add.at(out_N, ids_hw[inner][shown] - 1, _WEIGHTS[code[inner][shown]])


_ALL: Final = slice(None)
_FROM, _TO = slice(1, None), slice(None, -1)
_SIDES: Final = {
    "down": ((_TO, _ALL), (_FROM, _ALL)),
    "right": ((_ALL, _TO), (_ALL, _FROM)),
    "down right": ((_TO, _TO), (_FROM, _FROM)),
    "down left": ((_TO, _FROM), (_FROM, _TO)),
}
