"""A network as a list of layers with their shapes, without a single weight: what sizes and costs are read from.

Everything counts in one dimension, as height, width and depth follow the same rules. A map of an image of n pixels
has (n - lost) / scale pixels: `scale` image pixels stand side by side in one of its own, and its border lies
`lost` / 2 image pixels inside the image's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Kind = Literal[
    "image", "features", "convolution", "transposed", "norm", "activation", "max", "mean", "repeat", "bilinear",
    "nearest", "shuffle", "global_mean", "sigmoid", "crop", "concat", "sum", "product",
]  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One layer and the map that it puts out.

    inputs: positions of the layers it reads, in the drawing; `channels_in` is the first one's.
    shifts: pixels that are cropped off each input's border before.
    scale: 0 for a map of one pixel, whatever the image's size.
    kernel, stride, padding, groups, bias: of convolutions and poolings.
    fresh: whether the map needs memory of its own: not where the layer works in place.
    part, level: where in the network.
    """

    kind: Kind
    inputs: tuple[int, ...]
    channels_in: int
    channels: int
    scale: int
    lost: int
    shifts: tuple[int, ...] = ()
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = False
    fresh: bool = True
    part: str = ""
    level: int = 0

    def size(self, image: int) -> int:
        """Pixels of the map for an image of so many."""
        return (image - self.lost) // self.scale if self.scale else 1


@dataclass
class Drawing:
    """The layers in an order in which they can be computed. Each method adds one, and gives its position.

    outputs: positions of the logits, the finest first.
    """

    nodes: list[Node] = field(default_factory=list)
    outputs: tuple[int, ...] = ()
    part: str = ""
    level: int = 0

    def add(self, kind: Kind, inputs: tuple[int, ...], channels: int, scale: int, lost: int, **more: Any) -> int:
        """A layer of any kind."""
        channels_in = self.nodes[inputs[0]].channels if inputs else 0
        self.nodes.append(
            Node(kind, inputs, channels_in, channels, scale, lost, part=self.part, level=self.level, **more)
        )
        return len(self.nodes) - 1

    def channels(self, at: int) -> int:
        """Channels of a map."""
        return self.nodes[at].channels

    def image(self, channels: int) -> int:
        """The image itself."""
        return self.add("image", (), channels, 1, 0, fresh=False)

    def features(self, image: int, channels: int, stride: int) -> int:
        """What an encoder that is not ours makes of the image."""
        return self.add("features", (image,), channels, stride, 0, fresh=False)

    def convolve(
        self, x: int, channels: int, kernel: int, *, stride: int = 1, padding: int = 0, groups: int = 1, bias: bool
    ) -> int:
        """A convolution."""
        scale, lost = self._slid(x, kernel, stride, padding)
        return self.add(
            "convolution", (x,), channels, scale, lost,
            kernel=kernel, stride=stride, padding=padding, groups=groups, bias=bias,
        )  # fmt: skip

    def pool(self, x: int, kind: Literal["max", "mean"], stride: int = 2) -> int:
        """The largest, or the mean, of two neighbours."""
        scale, lost = self._slid(x, 2, stride, 0)
        return self.add(kind, (x,), self.channels(x), scale, lost, kernel=2, stride=stride)

    def repeat_border(self, x: int) -> int:
        """The map with its outermost pixels once more."""
        scale = self.nodes[x].scale
        return self.add("repeat", (x,), self.channels(x), scale, self.nodes[x].lost - 2 * scale, padding=1)

    def transpose(self, x: int, channels: int, kernel: int, *, bias: bool) -> int:
        """A transposed convolution of stride 2."""
        at = self._enlarged("transposed", x, channels, 2)
        self.nodes[at] = replace(self.nodes[at], kernel=kernel, bias=bias)
        return at

    def enlarge(self, x: int, kind: Literal["bilinear", "nearest"], factor: int) -> int:
        """An enlargement without weights."""
        return self._enlarged(kind, x, self.channels(x), factor)

    def shuffle(self, x: int, channels: int) -> int:
        """Channels laid out as pixels."""
        return self._enlarged("shuffle", x, channels, 2)

    def norm(self, x: int) -> int:
        """A normalisation with a weight and a bias a channel."""
        return self._pointwise("norm", x)

    def activate(self, x: int, *, fresh: bool) -> int:
        """An activation, in place or not."""
        return self._pointwise("activation", x, fresh=fresh)

    def sigmoid(self, x: int) -> int:
        """The sigmoid of each value."""
        return self._pointwise("sigmoid", x)

    def global_mean(self, x: int) -> int:
        """The mean of each channel."""
        return self.add("global_mean", (x,), self.channels(x), 0, 0)

    def join(self, kind: Literal["concat", "sum", "product"], *maps: int) -> int:
        """Several maps as one, the larger ones cropped to the smallest."""
        sized = [at for at in maps if self.nodes[at].scale]
        scale = self.nodes[sized[0]].scale if sized else 0
        lost = max((self.nodes[at].lost for at in sized), default=0)
        shifts = []
        for at in maps:
            node = self.nodes[at]
            assert node.scale in {0, scale}, "only maps of one resolution can be joined"
            shifts.append((lost - node.lost) // (2 * scale) if node.scale else 0)
        channels = [self.channels(at) for at in maps]
        wide = sum(channels) if kind == "concat" else max(channels)
        return self.add(kind, maps, wide, scale, lost, shifts=tuple(shifts))

    def _slid(self, x: int, kernel: int, stride: int, padding: int) -> tuple[int, int]:
        node = self.nodes[x]
        if not node.scale:
            return 0, 0
        # A padded 3×3 of stride 2 gives half of an even size; what its kernel is wider than its stride is padding.
        less = max(0, kernel - stride - 2 * padding)
        return node.scale * stride, node.lost + less * node.scale

    def _pointwise(self, kind: Kind, x: int, **more: Any) -> int:
        node = self.nodes[x]
        return self.add(kind, (x,), node.channels, node.scale, node.lost, **more)

    def _enlarged(self, kind: Kind, x: int, channels: int, factor: int) -> int:
        node = self.nodes[x]
        assert node.scale % factor == 0
        return self.add(kind, (x,), channels, node.scale // factor, node.lost, stride=factor)


def reach(nodes: Sequence[Node], output: int, low: int, high: int) -> tuple[int, int]:
    """The image's pixels that pixels low…high of one map hang on."""
    return extents(nodes, output, low, high)[0]


def extents(nodes: Sequence[Node], output: int, low: int, high: int) -> dict[int, tuple[int, int]]:
    """By position, of each map the pixels that pixels low…high of one map hang on, walking from it back to the image.

    Each map counts its own pixels from 0, so a cropped or valid map is shifted against the one it was made from. What
    looks at a whole map (norms, squeeze-and-excitation) is left out.
    """
    wanted: dict[int, tuple[int, int]] = {output: (low, high)}
    for at in range(output, 0, -1):
        if at not in wanted:
            continue
        node = nodes[at]
        for i, source in enumerate(node.inputs):
            if not nodes[source].scale:
                continue
            a, b = _seen(node, *wanted[at])
            shift = node.shifts[i] if node.shifts else 0
            known = wanted.get(source, (a + shift, b + shift))
            wanted[source] = min(known[0], a + shift), max(known[1], b + shift)
    return wanted


def _seen(node: Node, low: int, high: int) -> tuple[int, int]:
    """Which pixels of its input pixels low…high of a layer's map hang on."""
    s = node.stride
    if node.kind in {"convolution", "max", "mean"}:
        return s * low - node.padding, s * high - node.padding + node.kernel - 1
    if node.kind == "repeat":
        return low - node.padding, high - node.padding
    if node.kind == "transposed" and node.kernel == 3:  # odd pixels lie between two
        return low // 2, (high + 1) // 2
    if node.kind in {"transposed", "nearest", "shuffle"}:
        return low // s, high // s
    if node.kind == "bilinear":  # the two neighbours of (i + ½) / s - ½
        return (2 * low + 1 - s) // (2 * s), (2 * high + 1 - s) // (2 * s) + 1
    return low, high
