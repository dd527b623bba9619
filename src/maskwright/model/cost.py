"""What a network costs, from the record alone: weights, arithmetic, memory and how far it sees.

Read from the same drawing as the sizes, so nothing is built and nothing is computed; only a timm encoder, which is
known by its name alone, is built without weights on torch's meta device and run there (`model.foreign`).
"""

import math
from collections.abc import Iterable, Sequence

from maskwright.model import foreign
from maskwright.model.drawing import drawing
from maskwright.model.graph import Node
from maskwright.model.record import UNetRecord
from maskwright.model.sizes import demand_fit, geometry
from maskwright.records import Record

BYTES = 4
"""Of one number in 32 bits; mixed precision needs about half."""


class LevelCost(Record):
    """What one level of the encoder or decoder, or one head, costs."""

    part: str
    level: int
    width: int
    """Channels of what it hands on."""
    size: tuple[int, ...]
    """Of what it hands on."""
    parameters: int
    multiply_adds: int
    activation_bytes: int


class Cost(Record):
    """What one network costs for one image of one size."""

    size: tuple[int, ...]
    """Of the image as the network sees it: mirrored up to a size that fits, if padded."""
    parameters: int
    """Weights that are learnt; the running means of batch norms are not among them."""
    multiply_adds: int
    """Of one forward pass as in training: products in convolutions, plain and transposed. The rest is small."""
    activation_bytes: int
    """Memory of all maps that one forward pass in training makes, in 32 bits: what convolutions, norms, poolings,
    enlargements, joins and sums put out, and activations where they do not work in place. Times the batch, it is
    about what a step needs beside weights and optimiser. The image, dropout and the norms' statistics do not count."""
    field_of_view: int | None
    """Image pixels, in one dimension, that a block of `record.stride` output pixels depends on; None: all of them."""
    levels: tuple[LevelCost, ...]

    def __str__(self) -> str:
        rows = [("", "width", "size", "parameters", "multiply-adds", "activations")]
        rows += [(f"{r.part} {r.level}", str(r.width), _by(r.size), *_amounts(r)) for r in self.levels]
        rows.append(("in all", "", _by(self.size), *_amounts(self)))
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([first.ljust(wide[0]), *(text.rjust(w) for text, w in zip(others, wide[1:], strict=True))])
            for first, *others in rows
        ]
        seen = "the whole image" if self.field_of_view is None else f"{self.field_of_view} pixels"
        return "\n".join([*lines, f"field of view: {seen}"])


def cost(record: UNetRecord, size: int | Sequence[int]) -> Cost:
    """The cost of one image of that size: pixels a side, or a number a dimension.

    >>> cost(UNetRecord(in_channels=1, base=64, norm="none", padding="valid"), 572).parameters
    31030658

    Raises:
        DataError: the size does not fit a valid network; names the nearest that do.
    """
    image = _fitted(record, (size,) * record.dims if isinstance(size, int) else tuple(size))
    rows, channels = [], None
    if not record.encoder.is_own:
        found = foreign.measured(record, image)
        channels = found.channels
        rows.append(
            LevelCost(
                part=record.encoder.name,
                level=record.depth,
                width=channels[-1] or 0,
                size=tuple(n // record.stride for n in image),
                parameters=found.parameters,
                multiply_adds=found.multiply_adds,
                activation_bytes=BYTES * found.values,
            )
        )
    rows += _rows(drawing(record, channels).nodes, image)
    return Cost(
        size=image,
        parameters=sum(row.parameters for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
        activation_bytes=sum(row.activation_bytes for row in rows),
        field_of_view=geometry(record).field_of_view if record.is_local else None,
        levels=tuple(rows),
    )


def _fitted(record: UNetRecord, size: tuple[int, ...]) -> tuple[int, ...]:
    if record.padding == "valid":
        demand_fit(record, *size)
        return size
    return tuple(-(-n // record.stride) * record.stride for n in size)


def _rows(nodes: Iterable[Node], image: tuple[int, ...]) -> list[LevelCost]:
    """One row a level of each part, in the order in which they are first met."""
    places: dict[tuple[str, int], list[Node]] = {}
    for node in nodes:
        if node.kind not in {"image", "features"}:
            places.setdefault((node.part, node.level), []).append(node)
    return [
        LevelCost(
            part=part,
            level=level,
            width=here[-1].channels,
            size=tuple(here[-1].size(n) for n in image),
            parameters=sum(parameters(node, len(image)) for node in here),
            multiply_adds=sum(multiply_adds(node, image) for node in here),
            activation_bytes=sum(BYTES * node.channels * _pixels(node, image) for node in here if node.fresh),
        )
        for (part, level), here in places.items()
    ]


def parameters(node: Node, dims: int) -> int:
    """Weights and biases of one layer."""
    if node.kind == "norm":
        return 2 * node.channels
    if node.kind not in {"convolution", "transposed"}:
        return 0
    weights: int = node.channels * (node.channels_in // node.groups) * node.kernel**dims
    return weights + node.channels * node.bias


def multiply_adds(node: Node, image: tuple[int, ...]) -> int:
    """Products that one layer sums up for one image; borders count as if they were pixels."""
    if node.kind not in {"convolution", "transposed"}:
        return 0
    dims = len(image)
    weights: int = node.channels * (node.channels_in // node.groups) * node.kernel**dims
    # A transposed convolution lays its kernel once on every pixel that goes in.
    return weights * _pixels(node, image) // (node.stride**dims if node.kind == "transposed" else 1)


def _pixels(node: Node, image: tuple[int, ...]) -> int:
    return math.prod(node.size(n) for n in image)


def _by(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))


def _amounts(row: LevelCost | Cost) -> tuple[str, str, str]:
    return _short(row.parameters), _short(row.multiply_adds), _short(row.activation_bytes) + "B"


def _short(amount: float) -> str:
    """Three digits and a letter.

    >>> _short(31_030_658), _short(999)
    ('31 M', '999 ')
    """
    for letter in ("", "k", "M", "G"):
        if amount < 999.5:
            return f"{amount:.3g} {letter}"
        amount /= 1000
    return f"{amount:.3g} T"
