"""The U-Net record: every switch of the network family, each independent of the others."""

from typing import Literal, Self

from pydantic import Field, model_validator

from maskwright.records import Record

PerLevel = int | tuple[int, ...]
"""One number for all levels, or one a level, the finest first."""

MOST = 64
"""No level has more blocks, no block more convolutions."""


class EncoderRecord(Record):
    """What looks at the image and hands features to the decoder."""

    name: str = "plain"
    """plain: the record's own blocks. residual: residual blocks, whatever the decoder has (nnU-Net's residual encoder).
    Any other name: a timm model that gives features, e.g. resnet34 (needs the extra `timm`)."""
    weights: str | None = None
    """Where a timm encoder's first weights come from: pretrained (timm's hub) or the path of a file; None: random.
    Looked at once, when training begins; a model file holds the trained weights itself."""
    image_skip: bool = False
    """Whether the image itself is the skip of the finest level, where a timm encoder has no features."""

    @property
    def is_own(self) -> bool:
        """Whether the encoder is made of the record's own blocks, and not a timm model."""
        return self.name in {"plain", "residual"}


class UNetRecord(Record):
    """All that is needed to build one U-Net, and nothing else.

    A level is what happens at one resolution. `depth` halvings make `depth + 1` levels; the last is the bottleneck.
    """

    in_channels: int = Field(3, ge=1)
    classes: int = Field(2, ge=1)
    """Channels of the logits. 1 means a single logit for foreground, to be read through a sigmoid."""
    dims: Literal[2, 3] = 2
    """Spatial dimensions."""

    depth: int = Field(4, ge=1, le=8)
    """How often the resolution is halved."""
    base: int = Field(32, ge=1)
    """Channels of the first level."""
    growth: float = Field(2.0, ge=1)
    """Channels of a level over those of the level above."""
    max_width: int = Field(1024, ge=1)
    """No level is wider than this."""
    widths: tuple[int, ...] | None = None
    """Channels a level, `depth + 1` numbers, in place of base, growth and max_width."""
    decoder_widths: tuple[int, ...] | None = None
    """Channels a level on the way up, `depth` numbers, the finest first; None: as on the way down."""

    encoder: EncoderRecord = EncoderRecord()
    blocks: PerLevel = 1
    """Blocks a level on the way down, one after the other (nnU-Net's residual encoder: 1, 3, 4, 6, 6, 6)."""
    convolutions: PerLevel = 2
    """Convolutions a block on the way down. 0 is for the finest level only: its skip is the image."""
    decoder_convolutions: PerLevel | None = None
    """Convolutions a level on the way up, `depth` numbers if one a level; None: as on the way down."""

    stem: Literal[1, 2, 4] = 1
    """Stride of the first convolution. Above 1 the network works on a coarser grid and its logits are enlarged."""
    block: Literal["plain", "residual", "preactivation", "bottleneck", "convnext"] = "plain"
    norm: Literal["batch", "instance", "group", "layer", "none"] = "batch"
    """layer: over the channels of each pixel."""
    groups: int = Field(8, ge=1)
    """Groups of the group norm; lowered where a width is not divisible by it."""
    norm_at: Literal["convolution", "block"] = "convolution"
    """convolution: each has its norm. block: one norm, at the end of the block (of a plain block only)."""
    norm_order: Literal["before", "after"] = "before"
    """Whether the norm stands before or after the activation. A convnext block's own norm stands where its paper has
    it."""
    norm_in: Literal["all", "encoder"] = "all"
    """encoder: none in the decoder."""
    activation: Literal["relu", "leaky_relu", "gelu", "silu"] = "relu"
    squeeze: int | None = Field(None, ge=1)
    """Reduction of a squeeze-and-excitation at the end of each block; None: none."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of channels, or values, silenced while training."""
    dropout_at: Literal["bottleneck", "deep", "encoder", "all"] = "bottleneck"
    """deep: the last two blocks of the encoder; encoder: all of it; all: the decoder's blocks too. Where a level has
    several blocks, each of them counts as that level's."""
    dropout_place: Literal["after", "before"] = "after"
    """after: at a block's end, so skips have it too. before: at its start, that is after the pooling or the
    concatenation; the first block, which sees the image, has none then."""
    dropout_unit: Literal["channel", "value"] = "channel"
    """Whether whole channels are silenced or single values."""
    padding: Literal["same", "valid"] = "same"
    """valid: convolutions are not padded, the skips are cropped, the output is smaller than the input."""
    down: Literal["max", "average", "blur", "strided", "strided_block"] = "max"
    """blur: maximum of neighbours, then a binomial filter, then every second (Zhang 2019). strided: a convolution of
    its own. strided_block: the first convolution of the next level has stride 2."""
    up: Literal["transposed", "transposed3", "bilinear", "nearest", "pixel_shuffle"] = "transposed"
    """transposed: 2×2; transposed3: 3×3. bilinear, nearest: a 1×1 convolution to the level's width, then enlarged.
    pixel_shuffle: a 1×1 convolution to 4 times the width (8 in 3-D), its channels laid out as pixels."""
    up_width: Literal["level", "same"] = "level"
    """Channels after the enlargement: those of the level it leads to, or as many as before. Bilinear and nearest
    then need no convolution and have none."""
    up_unit: bool = False
    """Whether norm and activation follow the enlargement."""
    skip: Literal["concat", "add", "attention", "none", "nested"] = "concat"
    """attention: concatenated, after a gate that looks at what comes from below (Oktay et al. 2018). nested: U-Net++
    (Zhou et al. 2018). Skips are cropped where they are larger, in valid networks."""
    deep_supervision: bool = False
    """Whether, in training, every level of the decoder gives logits."""
    head_kernel: Literal[1, 3] = 1
    init: Literal["he_truncated", "he_normal", "torch"] = "he_truncated"
    """he_truncated: normal with variance 2 / fan-in, cut at two deviations, as Keras draws it; he_normal: not cut;
    torch: what the layers come with."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_lengths()
        self._check_counts()
        self._check_encoder()
        if self.norm_at == "block" and (self.block != "plain" or self.encoder.name == "residual"):
            raise ValueError("norm_at=block is for plain blocks only; set norm_at to convolution or block to plain")
        if self.padding == "valid" and self.stem > 1:
            raise ValueError("a valid network has no strided stem; set stem to 1 or padding to same")
        if self.skip == "add" and self.encoder.is_own:
            self._check_addable()
        return self

    def _check_lengths(self) -> None:
        for name in ("widths", "blocks", "convolutions", "decoder_widths", "decoder_convolutions"):
            value = getattr(self, name)
            wanted = self.depth + (not name.startswith("decoder"))
            if isinstance(value, tuple) and len(value) != wanted:
                raise ValueError(
                    f"{name} has {len(value)} numbers, depth {self.depth} wants {wanted}: one a level"
                    + (" without the bottleneck" if wanted == self.depth else "")
                )
            if name.endswith("widths") and value is not None and min(value) < 1:
                raise ValueError(f"{name}: every level has at least one channel")

    def _check_counts(self) -> None:
        convolutions = self.level_convolutions
        for name, counts in {
            "blocks": _spread(self.blocks, self.depth + 1),
            "convolutions": convolutions,
            "decoder_convolutions": self.level_decoder_convolutions,
        }.items():
            if min(counts[1:], default=1) < 1 or min(counts) < 0:
                raise ValueError(f"{name}: every level has at least 1; only the finest may have 0")
            if max(counts) > MOST:
                raise ValueError(f"{name}: {max(counts)} on a level are too many, {MOST} is the most")
        if _spread(self.blocks, self.depth + 1)[0] == 0 and convolutions[0] > 0:
            raise ValueError("the finest level has 0 blocks only where convolutions has 0 there too")
        if self.level_decoder_convolutions[0] == 0 and self.skip != "none":
            raise ValueError(
                f"a finest level of the decoder without convolutions has nothing to read a skip with (skip="
                f"{self.skip}); set skip to none, or decoder_convolutions to at least 1"
            )

    def _check_encoder(self) -> None:
        if self.encoder.is_own:
            if self.encoder.weights is not None:
                raise ValueError(f"a {self.encoder.name} encoder has no weights to begin with; leave them out")
            if self.encoder.image_skip:
                raise ValueError(
                    f"a {self.encoder.name} encoder has the image for a skip where convolutions begin with 0; "
                    "image_skip is for timm encoders"
                )
        elif self.padding == "valid":
            raise ValueError(f"the encoder {self.encoder.name} is padded; set padding to same, or encoder to plain")
        elif self.stem > 1:
            raise ValueError(f"the encoder {self.encoder.name} has a stem of its own; set stem to 1")

    def _check_addable(self) -> None:
        below = self.level_widths[-1]
        for level in reversed(range(self.depth)):
            up, skip = self.up_channels(level, below), self.encoder_channels[level]
            below = self.level_decoder_widths[level]
            if up != skip:
                raise ValueError(
                    f"skip=add: on level {level} the skip has {skip} channels, what comes up has {up}; "
                    + (
                        "set up_width to level"
                        if self.up_width == "same" and self.level_decoder_widths[level] == skip
                        else "give both the same width, or set skip to concat"
                    )
                )

    @property
    def level_widths(self) -> tuple[int, ...]:
        """Channels of each level, from the finest to the bottleneck.

        >>> UNetRecord(depth=4, base=64).level_widths
        (64, 128, 256, 512, 1024)
        """
        if self.widths is not None:
            return self.widths
        return tuple(min(self.max_width, round(self.base * self.growth**level)) for level in range(self.depth + 1))

    @property
    def level_decoder_widths(self) -> tuple[int, ...]:
        """Channels of each level on the way up, the finest first; the bottleneck is not among them."""
        return self.decoder_widths if self.decoder_widths is not None else self.level_widths[: self.depth]

    @property
    def level_blocks(self) -> tuple[int, ...]:
        """Blocks of each level on the way down; 0 at the finest where its skip is the image."""
        counts = _spread(self.blocks, self.depth + 1)
        return counts if self.level_convolutions[0] else (0, *counts[1:])

    @property
    def level_convolutions(self) -> tuple[int, ...]:
        """Convolutions a block of each level on the way down."""
        return _spread(self.convolutions, self.depth + 1)

    @property
    def level_decoder_convolutions(self) -> tuple[int, ...]:
        """Convolutions of each level on the way up, the finest first."""
        if self.decoder_convolutions is None:
            return self.level_convolutions[: self.depth]
        return _spread(self.decoder_convolutions, self.depth)

    @property
    def encoder_channels(self) -> tuple[int, ...]:
        """Channels of the features that an encoder of the record's own blocks hands over, the finest first."""
        first, *others = self.level_widths
        return (first if self.level_blocks[0] or self.stem > 1 else self.in_channels, *others)

    def up_channels(self, level: int, below: int) -> int:
        """Channels of what comes up to a level of the decoder, from a map of `below` channels."""
        return self.level_decoder_widths[level] if self.up_width == "level" else below

    @property
    def stride(self) -> int:
        """Input pixels a pixel of the bottleneck stands for; sizes of a same-padded network are multiples of it."""
        return int(self.stem * 2**self.depth)

    @property
    def is_local(self) -> bool:
        """Whether a logit depends on nothing beyond the field of view, so that tiles can be exact."""
        return self.norm in {"batch", "layer", "none"} and self.squeeze is None and self.encoder.is_own

    @property
    def in_encoder(self) -> "UNetRecord":
        """The record as the encoder reads it: its blocks are residual where it is called so."""
        return self.model_copy(update={"block": "residual"}) if self.encoder.name == "residual" else self

    @property
    def in_decoder(self) -> "UNetRecord":
        """The record as the decoder reads it: without norms where they are the encoder's only."""
        return self.model_copy(update={"norm": "none"}) if self.norm_in == "encoder" else self

    def encoder_dropout(self, level: int, index: int = 0) -> float:
        """Share that the encoder's block of that index on a level silences."""
        first = {"bottleneck": self.depth, "deep": self.depth - 1, "encoder": 0, "all": 0}[self.dropout_at]
        sees_image = index == 0 and level == (0 if self.level_blocks[0] else 1)
        spared = self.dropout_place == "before" and sees_image
        return self.dropout if level >= first and not spared else 0.0

    @property
    def decoder_dropout(self) -> float:
        """Share that each of the decoder's blocks silences."""
        return self.dropout if self.dropout_at == "all" else 0.0


def _spread(value: PerLevel, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else value
