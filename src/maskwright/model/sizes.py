"""What goes in and what comes out: sizes and the field of view, from the record alone.

Read from the network's layers in one dimension (`model.drawing`); height, width and depth follow the same rules.
"""

from dataclasses import dataclass
from functools import lru_cache

from maskwright.errors import DataError
from maskwright.model.drawing import drawing
from maskwright.model.graph import reach
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


@lru_cache(maxsize=256)
def geometry(record: UNetRecord) -> Geometry:
    """The network's geometry. That of a timm encoder is not known: it is not local, and `before` and `after` are 0.

    >>> geometry(UNetRecord(depth=4, padding="valid")).margin
    92
    """
    if not record.encoder.is_own:
        return Geometry(stride=record.stride, before=0, after=0, margin=0, is_local=False)
    layers = drawing(record)
    output = layers.outputs[0]
    margin = layers.nodes[output].lost // 2
    low, high = reach(layers.nodes, output, 0, record.stride - 1)
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
    fits = all(size > lost and (size - lost) % scale == 0 for scale, lost in _maps(record))
    return size - 2 * geometry(record).margin if fits else None


def smallest_map(record: UNetRecord, size: int) -> int:
    """Pixels a side of the smallest map that the network makes of an input of that size.

    >>> smallest_map(UNetRecord(depth=4), 64)
    4
    """
    if not record.encoder.is_own:
        return size // record.stride
    return min((size - lost) // scale for scale, lost in _maps(record))


@lru_cache(maxsize=256)
def _maps(record: UNetRecord) -> frozenset[tuple[int, int]]:
    """Scale and loss of every map of the network: what must come out whole."""
    return frozenset((node.scale, node.lost) for node in drawing(record).nodes if node.scale)


def fitting_input(record: UNetRecord, output: int) -> int:
    """The smallest input size whose output has at least `output` pixels."""
    size = max(1, output) + 2 * geometry(record).margin
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
        distances = range(1, 2 * record.stride + 2 * geometry(record).margin + 2)
        below = next((size - d for d in distances if output_size(record, size - d)), None)
        above = next(size + d for d in distances if output_size(record, size + d))
        near = f"{above}" if below is None else f"{below} and {above}"
        raise DataError(
            f"An input of {size} pixels does not fit this network ({record.padding} padding, depth {record.depth}). "
            f"The nearest sizes that fit: {near}. The predictor pads and cuts back by itself."
        )
