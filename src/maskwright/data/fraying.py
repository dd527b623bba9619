"""Frayed masks: 0 and 255 once, then saved as JPEG or resized with smooth edges. They can be parted in the middle.

H W the picture.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

THRESHOLDS: Final = {255: 128, 65535: 32768}
"""Highest value → the lowest that is nearer to it than to 0."""
SOLID: Final = 0.75
"""Of a mask, at least this share lies within a sixteenth of 0 or of the highest value; of a picture rarely so much."""


def frayed(
    counts: Mapping[str, Mapping[int, int]], on_borders: Callable[[Sequence[str]], bool] | None = None
) -> list[str]:
    """The files in which 0 and 255 have frayed, those that hold most in between first; none if any file is more than
    that, or if the values may be labels.

    Labels are small numbers and perhaps 255: they leave the upper half empty. Frayed masks have values all over,
    but few of each. Where the values in between are few, too (0, 64, 128, 191, 255), they may be classes; then
    `on_borders` is asked whether they only lie between the two.
    """
    highest = max((max(of_file, default=0) for of_file in counts.values()), default=0)
    top = 255 if highest < 256 else 65535
    if any(min(of_file, default=0) < 0 for of_file in counts.values()) or highest > top:
        return []
    between = {file: {v: n for v, n in of_file.items() if v not in (0, top)} for file, of_file in counts.items()}
    files = sorted((file for file in between if between[file]), key=lambda file: -sum(between[file].values()))
    if not files or not all(_solid(counts[file], top) for file in files) or not _both_ends(counts, top):
        return []
    values = {value for file in files for value in between[file]}
    width = (top + 1) // 16
    if min(values) < width and max(values) >= top + 1 - width and len(values) >= 4:
        return files  # ripples beside the edges: JPEG
    if len(values) >= 8 and min(values) < top / 4 and max(values) > 3 * top / 4:
        return files
    # A single value beside borders is drawn there: the outline of a trimap.
    inner = [value for value in values if width <= value <= top - width]
    return files if len(inner) > 1 and on_borders is not None and on_borders(files[:5]) else []


def borders_only(values_HW: NDArray[Any], top: int) -> bool:
    """Whether values between 0 and the top lie where the two meet, within two pixels of both, all but one in ten."""
    inner_HW = (values_HW > top / 16) & (values_HW < top - top / 16)
    if not inner_HW.any():
        return True
    near_HW = [
        ndimage.binary_dilation(end, np.ones((5, 5), bool))
        for end in (values_HW <= top / 16, values_HW >= top - top / 16)
    ]
    return bool((near_HW[0] & near_HW[1])[inner_HW].mean() >= 0.9)


def _solid(of_file: Mapping[int, int], top: int) -> bool:
    """Whether nearly all of it is 0 or full."""
    width = (top + 1) // 16
    ends = sum(n for v, n in of_file.items() if v < width or v >= top + 1 - width)
    return ends >= SOLID * sum(of_file.values())


def _both_ends(counts: Mapping[str, Mapping[int, int]], top: int) -> bool:
    """Whether at least half of what is not near 0 is near the top, and the other way round."""
    width = (top + 1) // 16
    low = high = rest = 0
    for of_file in counts.values():
        for value, pixels in of_file.items():
            if value < width:
                low += pixels
            elif value >= top + 1 - width:
                high += pixels
            else:
                rest += pixels
    return low >= rest and high >= rest and high > 0 and low > 0
