"""The run lengths of Label Studio's brush: a stream of bits after thi.ng's `rle-pack`, of which alpha is the mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskwright.errors import ReadError
from maskwright.files.annotations.filling import Size, Stamp
from maskwright.files.annotations.geometry import placed

CHANNELS = 4


@dataclass(frozen=True, eq=False, slots=True)
class Brush:
    """A mask h w that was painted, packed."""

    data: bytes
    box: Size

    def area(self) -> float:
        """Half of its picture: near enough, and nothing need be unpacked."""
        return self.box[0] * self.box[1] / 2

    def stamp(self, size: Size) -> Stamp | None:
        """The pixels that the brush touched: strokes may be see-through, so any alpha above 0 counts."""
        box = placed(self.box, None, size)
        values = unpack(self.data, size[0] * size[1] * CHANNELS)
        return box, values.reshape(*size, CHANNELS)[:, :, 3] > 0


def unpack(data: bytes, expected: int) -> NDArray[np.uint8]:
    """The numbers that were packed: `expected` of 8 bits each.

    The stream holds how many numbers there are (32 bits), their bits less 1 (5) and four possible widths of a length
    less 1 (4 each). Then come groups: one bit whether a number is repeated, two bits which width the length has, the
    length less 1, and the number once, or all numbers of the group.

    Raises:
        ReadError: there are more or fewer numbers, or the stream ends too early.
    """
    stream = _Stream(data)
    count, word = stream.take(32), stream.take(5) + 1
    widths = [stream.take(4) + 1 for _ in range(4)]
    if count != expected or word != 8:
        raise ReadError(f"its brush holds {count} numbers of {word} bits; {expected} of 8 were expected.")
    out = np.zeros(count, np.uint8)
    place = 0
    while place < count:
        head = stream.take(3)
        length = stream.take(widths[head & 3]) + 1
        if head & 4:
            out[place : place + length] = stream.take(8)
        else:
            numbers = stream.take_bytes(min(length, count - place))
            out[place : place + len(numbers)] = numbers
        place += length
    return out


class _Stream:
    """Bits, the highest of each byte first."""

    def __init__(self, data: bytes):
        self._data = data
        self._place = 0

    def take(self, bits: int) -> int:
        """The next bits, at most 32, as a number."""
        start = self._place
        self._advance(bits)
        chunk = self._data[start >> 3 : (start >> 3) + 5]
        value = int.from_bytes(chunk.ljust(5, b"\0"), "big")
        return (value >> (40 - (start & 7) - bits)) & ((1 << bits) - 1)

    def take_bytes(self, count: int) -> NDArray[np.uint8]:
        """The next numbers of 8 bits."""
        start, shift = self._place >> 3, self._place & 7
        self._advance(8 * count)
        data = np.frombuffer(self._data, np.uint8)
        low = data[start : start + count]
        if not shift:
            return low
        high = data[start + 1 : start + count + 1].astype(np.uint16)
        return (((low.astype(np.uint16) << 8 | high) >> (8 - shift)) & 255).astype(np.uint8)

    def _advance(self, bits: int) -> None:
        self._place += bits
        if self._place > 8 * len(self._data):
            raise ReadError("its brush ends too early: it was cut short. Export the file again.")
