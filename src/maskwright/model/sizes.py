"""What goes in and what comes out: sizes and the field of view, from the record alone.

Everything here is one walk over the network's layers in one dimension; height and width follow the same rules.
"""

from dataclasses import dataclass

from maskwright.errors import DataError
from maskwright.model.record import UNetRecord


@dataclass(frozen=True)
class Geometry:
    """How pixels of the output hang on pixels of the input; all that tiling needs to know of a network.

    stride: windows that start at multiples of it see the same grid as the whole image.
    before, after: input pixels that an output window needs beyond its own, on the low and on the high side.
    margin: input pixels that a valid network loses on each side; 0 for a same-padded one.
    is_local: whether nothing beyond `before` and `after` matters.
    """

    stride: int
    before: int
    after: int
    margin: int
    is_local: bool

    @property
    def field_of_view(self) -> int:
        """Input pixels, in one dimension, that a block of `stride` output pixels depends on."""
        return self.before + self.stride + self.after


def geometry(record: UNetRecord) -> Geometry:
    """The network's geometry.

    >>> geometry(UNetRecord(depth=4, padding="valid")).margin
    92
    """
    margin = _margin(record)
    low, high = _needed(record, 0, record.stride - 1)
    return Geometry(
        stride=record.stride,
        before=margin - low,  # the first output pixel stands at `margin` in the input
        after=high - (record.stride - 1 + margin),
        margin=margin,
        is_local=record.is_local,
    )


def output_size(record: UNetRecord, size: int) -> int | None:
    """Pixels that come out for `size` pixels that go in; None where the size does not fit the network.

    >>> output_size(UNetRecord(depth=4, padding="valid"), 572)
    388
    """
    if record.padding == "same":
        return size if size > 0 and size % record.stride == 0 else None
    here = size
    for _ in range(record.depth):
        here -= 2 * record.convolutions
        if here <= 0 or here % 2:
            return None
        here //= 2
    here -= 2 * record.convolutions
    for _ in range(record.depth):
        here = 2 * here - 2 * record.up_convolutions
    return here if here > 0 else None


def fitting_input(record: UNetRecord, output: int) -> int:
    """The smallest input size whose output has at least `output` pixels."""
    size = max(1, output) + 2 * _margin(record)
    while (found := output_size(record, size)) is None or found < output:
        size += 1
    return size


def demand_fit(record: UNetRecord, *sizes: int) -> None:
    """Nothing, if every size fits the network.

    Raises:
        DataError: one does not; names the nearest that do.
    """
    for size in sizes:
        if output_size(record, size) is not None:
            continue
        reach = range(1, 2 * record.stride + 2 * _margin(record) + 2)
        below = next((size - d for d in reach if output_size(record, size - d)), None)
        above = next(size + d for d in reach if output_size(record, size + d))
        near = f"{above}" if below is None else f"{below} and {above}"
        raise DataError(
            f"An input of {size} pixels does not fit this network ({record.padding} padding, depth {record.depth}). "
            f"The nearest sizes that fit: {near}. The predictor pads and cuts back by itself."
        )


def _margin(record: UNetRecord) -> int:
    """Pixels lost on each side between the image and the logits."""
    if record.padding == "same":
        return 0
    return record.convolutions + _lost_below(record, 0) + record.up_convolutions


def _lost_below(record: UNetRecord, level: int) -> int:
    """Pixels of this level that its skip is larger, on each side, than what comes up from below."""
    if record.padding == "same":
        return 0
    lost = record.convolutions
    if level + 1 < record.depth:
        lost += _lost_below(record, level + 1) + record.up_convolutions
    return 2 * lost


def _needed(record: UNetRecord, low: int, high: int) -> tuple[int, int]:
    """The input pixels that the output pixels low…high hang on, walking from the logits back to the image.

    Each map counts its own pixels from 0, so a valid map is shifted against the map it was made from.
    """
    if record.stem > 1:
        low, high = _enlarged(low, high, record.stem)
    low, high = _level_needs(record, 0, low, high)
    if record.stem > 1:
        low, high = record.stem * low, record.stem * high + record.stem - 1
    return low, high


def _level_needs(record: UNetRecord, level: int, low: int, high: int) -> tuple[int, int]:
    if level < record.depth:
        low, high = _convolved(record, low, high, record.up_convolutions)
        shift = _lost_below(record, level)
        skip = low + shift, high + shift
        low, high = _enlarged(low, high, 2) if record.up == "bilinear" else (low // 2, high // 2)
        low, high = _level_needs(record, level + 1, low, high)
        wide = 1 if record.down == "strided" and record.padding == "same" else 0  # 3×3 against 2×2
        low, high = 2 * low - wide, 2 * high + 1
        low, high = min(low, skip[0]), max(high, skip[1])
    return _convolved(record, low, high, record.convolutions)


def _convolved(record: UNetRecord, low: int, high: int, count: int) -> tuple[int, int]:
    """What so many 3×3 convolutions look at."""
    if record.padding == "same":
        return low - count, high + count
    return low, high + 2 * count


def _enlarged(low: int, high: int, factor: int) -> tuple[int, int]:
    """What bilinear enlargement looks at: the two neighbours of (i + ½) / factor - ½."""
    first = (2 * low + 1 - factor) // (2 * factor)
    last = (2 * high + 1 - factor) // (2 * factor) + 1
    return first, last
