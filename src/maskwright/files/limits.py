"""How much one read may take: memory is counted before a pixel is decoded, and a header is believed only as far as
the bytes behind it reach.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from maskwright.errors import ReadError

MAX_BYTES: Final = 7 * 2**28
"""Bytes that one read may take at its peak, 1.75 GiB: file, samples and the copies on the way to the image."""

# By packing: how many times its own length the shortest data can unfold to. Deflate: 258 bytes for 2 bits. LZW: a
# code of 12 bits stands for no more than all that the table has grown by. Zstandard: 128 KiB for a block of 4 bytes.
DEFLATE, LZW, PACKBITS, ZSTD, RAW = 1032, 2731, 64, 2**15, 1

_BAND: Final = 2**20  # samples converted at once: their temporary copies stay small


def check_memory(needed: int, what: str) -> None:
    """Nothing, or an error for what takes more than `MAX_BYTES` to read.

    Raises:
        ReadError: says how much, and what to do.
    """
    if needed > MAX_BYTES:
        raise ReadError(
            f"says that it holds {what}, which take {needed / 2**30:.1f} GiB to read; one read may take "
            f"{MAX_BYTES / 2**30:.2f} GiB. Cut it into smaller files or read it by window; "
            "or export it again if this size cannot be true."
        )


def check_promise(promised: int, packed: int, times: int) -> None:
    """Nothing, or an error where `packed` bytes cannot unfold to the `promised` ones, as each gives at most `times`.

    Raises:
        ReadError: it is damaged.
    """
    # The last bytes of a stream (a code half used, a check sum) never tip the scales.
    if promised > (packed + 64) * times:
        raise ReadError(
            f"promises {promised:,} bytes of pixels, but the {packed:,} bytes it has for them hold no more than "
            f"{packed * times:,}. It is damaged or was cut short: copy, download or export it again."
        )


def bands(values: np.ndarray[Any, Any]) -> Iterator[tuple[slice, ...]]:
    """Parts of a picture (H, W, …) along its longer side, which convert one after the other in little memory."""
    axis = 0 if values.shape[0] >= values.shape[1] else 1
    side = values.shape[axis]
    step = max(1, _BAND * side // max(1, math.prod(values.shape)))
    for start in range(0, side, step):
        part = slice(start, start + step)
        yield (part, slice(None)) if axis == 0 else (slice(None), part)
