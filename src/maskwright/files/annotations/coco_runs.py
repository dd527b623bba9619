"""The run lengths of COCO's compressed masks: text of 6 bits a letter, after `maskApi.c` of the COCO API."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import ReadError

LONGEST: Final = 7
"""Letters of one number: 35 bits, more than any mask has pixels."""


def decode_counts(text: str) -> NDArray[np.int64]:
    """The lengths of runs, in turn without and with the thing.

    Each letter, less 48, holds five bits of a number, the lowest first, and in the sixth whether more follow; the
    fifth bit of the last letter is the sign. From the fourth number on, each is told by its difference from the one
    two before it.

    Raises:
        ReadError: a letter or a number is impossible.
    """
    letters = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - 48
    if len(letters) == 0:
        return np.zeros(0, np.int64)
    last = letters & 32 == 0
    ends = np.flatnonzero(last)
    if letters.min() < 0 or letters.max() > 63 or not last[-1]:
        raise ReadError("its compressed run lengths hold a letter that they cannot, or end too early.")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > LONGEST:
        raise ReadError("its compressed run lengths hold a number that is too large.")
    place = np.arange(len(letters)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((letters & 31) << (5 * place), starts)
    numbers -= np.where(letters[ends] & 16 != 0, np.int64(1) << (5 * lengths), 0)
    counts = numbers.copy()
    counts[1::2] = np.cumsum(numbers[1::2])
    counts[2::2] = np.cumsum(numbers[2::2])
    if counts.min() < 0:
        raise ReadError("its compressed run lengths hold a number below 0.")
    return counts


def encode_counts(counts: NDArray[np.int64]) -> str:
    """The text of such lengths, as `decode_counts` reads it."""
    numbers = counts.astype(np.int64)
    numbers[3:] -= counts[1:-2]
    letters = np.empty((len(numbers), LONGEST), np.uint8)
    used = np.zeros((len(numbers), LONGEST), np.bool_)
    open_ = np.ones(len(numbers), np.bool_)
    for place in range(LONGEST):
        low, rest = numbers & 31, numbers >> 5
        more = np.where(low & 16, rest != -1, rest != 0)
        letters[:, place], used[:, place] = low + 32 * more + 48, open_
        open_ = open_ & more
        numbers = rest
    return letters[used].tobytes().decode("ascii")
