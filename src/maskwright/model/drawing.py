"""From a record to the list of its network's layers: the twin of the modules, without weights.

Function by function it follows `blocks`, `ways`, `skips`, `decoder` and `unet`; the tests compare the two.
"""

from collections.abc import Sequence
from functools import lru_cache

from maskwright.model.graph import Drawing
from maskwright.model.layout import (
    BlockShape,
    decoder_block,
    earlier,
    encoder_blocks,
    has_entry,
    nodes,
    residual_kernels,
    up_bias,
)
from maskwright.model.record import UNetRecord


@lru_cache(maxsize=64)
def drawing(record: UNetRecord, features: tuple[int | None, ...] | None = None) -> Drawing:
    """The network's layers.

    features: channels a level, the finest first, of an encoder that is not made of the record's own blocks.
    """
    draw = Pen(record)
    image = draw.image(record.in_channels)
    skips = draw.encoder(image) if features is None else draw.foreign(image, features)
    draw.record = record.in_decoder
    draw.outputs = draw.heads(draw.nested(skips) if record.skip == "nested" else draw.decoder(skips))
    return draw


class Pen(Drawing):
    """A drawing with the record's own parts."""

    def __init__(self, record: UNetRecord):
        super().__init__()
        self.record = record.in_encoder

    # ------------------------------------------------------------------------------------------------------- layers

    def conv(self, x: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1, bias: bool = True) -> int:
        """A convolution with the record's padding."""
        if self.record.padding == "valid" and stride > 1:
            kernel = stride
        padding = (kernel - 1) // 2 if self.record.padding == "same" and kernel % 2 else 0
        return self.convolve(x, channels, kernel, stride=stride, padding=padding, groups=groups, bias=bias)

    def normed(self, x: int) -> int:
        """After the record's norm, if it has one."""
        return x if self.record.norm == "none" else self.norm(x)

    def active(self, x: int, *, in_place: bool = True) -> int:
        """After the record's activation. A SiLU in place keeps what it changes all the same."""
        fresh = not in_place or self.record.activation in {"gelu", "silu"}
        return self.activate(x, fresh=fresh)

    def finished(self, x: int, *, in_place: bool = True) -> int:
        """After norm and activation, in the record's order."""
        if self.record.norm_order == "after":
            return self.normed(self.active(x, in_place=in_place))
        return self.active(self.normed(x), in_place=in_place or self.record.norm != "none")

    @property
    def norm_follows(self) -> bool:
        """Whether a norm comes right after a unit's convolution."""
        return self.record.norm != "none" and self.record.norm_order == "before"

    def unit(self, x: int, channels: int, kernel: int = 3, *, stride: int = 1, active: bool = True) -> int:
        """Convolution, norm, activation; without the activation only what comes before it."""
        x = self.conv(x, channels, kernel, stride=stride, bias=not self.norm_follows)
        if active:
            return self.finished(x)
        return self.norm(x) if self.norm_follows else x

    # ------------------------------------------------------------------------------------------------------- blocks

    def block(self, x: int, shape: BlockShape) -> int:
        """One block."""
        kinds = {"plain": self.plain, "preactivation": self.preactivation, "convnext": self.convnext}
        return kinds.get(self.record.block, self.residual)(x, shape)

    def plain(self, x: int, shape: BlockShape) -> int:
        """Units one after another."""
        record = self.record
        for index in range(shape.convolutions):
            if record.norm_at == "block" and index < shape.convolutions - 1:
                self.record = record.model_copy(update={"norm": "none"})
            x = self.unit(x, shape.channels_out, stride=1 if index else shape.stride)
            self.record = record
        return self.squeezed(x)

    def residual(self, x: int, shape: BlockShape) -> int:
        """Units plus a shortcut, then the activation."""
        kernels = residual_kernels(self.record, shape)
        changed = x
        for index, (kernel, channels, stride) in enumerate(kernels):
            changed = self.unit(changed, channels, kernel, stride=stride, active=index < len(kernels) - 1)
        changed = self.squeezed(changed)
        x = self.pool(x, "mean") if shape.stride > 1 else x
        if shape.channels_in != shape.channels_out:
            x = self.cropped_to(changed, x)
            x = self.unit(x, shape.channels_out, 1, active=False)
        total = self.join("sum", changed, x)
        return self.active(total) if self.norm_follows else self.finished(total)

    def preactivation(self, x: int, shape: BlockShape) -> int:
        """Norm, activation, convolution; plus a shortcut."""
        bias = self.record.norm == "none"
        ahead = x if shape.ready else self.finished(x, in_place=False)
        changed = self.conv(ahead, shape.channels_out, 3, stride=shape.stride, bias=bias)
        for _ in range(shape.convolutions - 1):
            changed = self.conv(self.finished(changed), shape.channels_out, 3, bias=bias)
        changed = self.squeezed(changed)
        projected = shape.channels_in != shape.channels_out
        kept = ahead if projected else x
        kept = self.pool(kept, "mean") if shape.stride > 1 else kept
        if projected:
            kept = self.conv(self.cropped_to(changed, kept), shape.channels_out, 1, bias=False)
        return self.join("sum", changed, kept)

    def convnext(self, x: int, shape: BlockShape) -> int:
        """ConvNeXt units one after another."""
        out = shape.channels_out
        x = self.conv(x, out, shape.stride, stride=shape.stride) if has_entry(shape) else x
        for _ in range(shape.convolutions):
            changed = self.normed(self.conv(x, out, 7, groups=out, bias=self.record.norm == "none"))
            changed = self.active(self.conv(changed, 4 * out, 1))
            x = self.join("sum", self.squeezed(self.conv(changed, out, 1)), x)
        return x

    def squeezed(self, x: int) -> int:
        """After squeeze-and-excitation, if the record has one."""
        if self.record.squeeze is None:
            return x
        narrow = max(1, self.channels(x) // self.record.squeeze)
        seen = self.active(self.conv(self.global_mean(x), narrow, 1))
        return self.join("product", x, self.sigmoid(self.conv(seen, self.channels(x), 1)))

    # ------------------------------------------------------------------------------------------------ down, up, skip

    def down(self, x: int) -> int:
        """To half the resolution."""
        kind = self.record.down
        if kind == "blur":
            x = self.pool(x, "max", stride=1)
            x = self.repeat_border(x) if self.record.padding == "same" else x
            return self.pool(self.pool(x, "mean", stride=1), "mean")
        if kind == "strided":
            return self.unit(x, self.channels(x), stride=2)
        if kind == "strided_block":
            return x
        return self.pool(x, "max" if kind == "max" else "mean")

    def up(self, x: int, channels: int) -> int:
        """To twice the resolution."""
        kind, bias = self.record.up, up_bias(self.record)
        if kind in {"transposed", "transposed3"}:
            x = self.transpose(x, channels, 3 if kind == "transposed3" else 2, bias=bias)
        elif kind == "pixel_shuffle":
            x = self.shuffle(self.conv(x, channels * 2**self.record.dims, 1, bias=bias), channels)
        else:
            x = self.conv(x, channels, 1, bias=bias) if self.record.up_width == "level" else x
            x = self.enlarge(x, "bilinear" if kind == "bilinear" else "nearest", 2)
        return self.finished(x, in_place=False) if self.record.up_unit else x

    def skip(self, skip: int | None, below: int) -> int:
        """Both joined."""
        kind = self.record.skip
        if skip is None or kind == "none":
            return below
        if kind == "add":
            return self.join("sum", skip, below)
        if kind == "attention":
            skip = self.cropped_to(below, skip)
            narrow = max(1, self.channels(skip) // 2)
            both = self.join("sum", self.conv(skip, narrow, 1, bias=False), self.conv(below, narrow, 1))
            share = self.sigmoid(self.conv(self.active(both), 1, 1))
            skip = self.join("product", skip, share)
        return self.join("concat", skip, below)

    # ------------------------------------------------------------------------------------------------------- network

    def encoder(self, image: int) -> list[int | None]:
        """The record's own encoder: features of each level, the finest first."""
        record = self.record
        self.part, self.level = "encoder", 0
        x = image
        if record.stem > 1:
            x = self.unit(x, record.level_widths[0], record.stem, stride=record.stem)
        features: list[int | None] = []
        for level in range(record.depth + 1):
            self.level = level
            x = self.down(x) if level else x
            for shape in encoder_blocks(record, level):
                x = self.block(x, shape)
            features.append(x)
        return features

    def foreign(self, image: int, channels: Sequence[int | None]) -> list[int | None]:
        """An encoder that is known by its features only."""
        found: list[int | None] = []
        for level, width in enumerate(channels):
            self.part, self.level = "encoder", level
            found.append(None if width is None else self.features(image, width, 2**level))
        return found

    def decoder(self, skips: list[int | None]) -> list[int]:
        """The maps of each level, the finest first."""
        *finer, x = skips
        assert x is not None
        self.part = "decoder"
        maps: list[int] = []
        for level in reversed(range(self.record.depth)):
            self.level = level
            x = self.skip(finer[level], self.up(x, self.record.up_channels(level, self.channels(x))))
            shape = decoder_block(self.record, level, self.channels(x))
            x = x if shape is None else self.block(x, shape)
            maps.insert(0, x)
        return maps

    def nested(self, skips: list[int | None]) -> list[int]:
        """U-Net++: the maps of nodes 0, depth … 0, 1."""
        self.part = "decoder"
        order = nodes([at is not None for at in skips])
        maps = {(level, 0): at for level, at in enumerate(skips) if at is not None}
        for level, column in order:
            self.level = level
            below = maps[level + 1, column - 1]
            above = self.up(below, self.record.up_channels(level, self.channels(below)))
            x = self.join("concat", *earlier(maps, level, column), above)
            shape = decoder_block(self.record, level, self.channels(x))
            assert shape is not None
            maps[level, column] = self.block(x, shape)
        return [maps[node] for node in reversed(order) if node[0] == 0]

    def heads(self, maps: list[int]) -> tuple[int, ...]:
        """The logits, the finest first; those of the other maps too under deep supervision."""
        record = self.record
        nested = record.skip == "nested"
        logits = []
        for index, at in enumerate(maps if record.deep_supervision else maps[:1]):
            self.part, self.level = "head", 0 if nested else index
            if index == 0 and record.block == "preactivation":
                at = self.finished(at, in_place=False)
            at = self.conv(at, record.classes, 1 if index else record.head_kernel)
            enlarged = record.stem > 1 and (nested or not index)
            logits.append(self.enlarge(at, "bilinear", record.stem) if enlarged else at)
        return tuple(logits)

    def cropped_to(self, smaller: int, x: int) -> int:
        """The middle of a map, as large as another: a view of it."""
        small, large = self.nodes[smaller], self.nodes[x]
        if small.lost == large.lost:
            return x
        shift = (small.lost - large.lost) // (2 * large.scale)
        return self.add("crop", (x,), large.channels, large.scale, small.lost, shifts=(shift,), fresh=False)
