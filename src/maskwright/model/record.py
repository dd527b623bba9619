"""The U-Net record: every switch of the network family, each independent of the others."""

from typing import Literal, Self

from pydantic import Field, model_validator

from maskwright.records import Record


class UNetRecord(Record):
    """All that is needed to build one U-Net, and nothing else.

    A level is what happens at one resolution. `depth` halvings make `depth + 1` levels; the last is the bottleneck.
    """

    in_channels: int = Field(3, ge=1)
    classes: int = Field(2, ge=1)
    """Channels of the logits. 1 means a single logit for foreground, to be read through a sigmoid."""

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
    convolutions: int = Field(2, ge=1, le=8)
    """Convolutions a level on the way down."""
    decoder_convolutions: int | None = Field(None, ge=1, le=8)
    """Convolutions a level on the way up; None: as many as on the way down."""

    stem: Literal[1, 2, 4] = 1
    """Stride of the first convolution. Above 1 the network works on a coarser grid and its logits are enlarged."""
    block: Literal["plain", "residual"] = "plain"
    norm: Literal["batch", "instance", "group", "none"] = "batch"
    groups: int = Field(8, ge=1)
    """Groups of the group norm; lowered where a width is not divisible by it."""
    activation: Literal["relu", "leaky_relu", "gelu", "silu"] = "relu"
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of channels silenced after a block while training."""
    dropout_at: Literal["bottleneck", "deep", "all"] = "bottleneck"
    """Which blocks have dropout; deep: the bottleneck and the level above it."""
    padding: Literal["same", "valid"] = "same"
    """valid: convolutions are not padded, the skips are cropped, the output is smaller than the input."""
    down: Literal["max", "strided"] = "max"
    up: Literal["transposed", "bilinear"] = "transposed"
    """bilinear: enlarged, then a 1×1 convolution to the level's width."""
    init: Literal["he_normal", "torch"] = "he_normal"
    """he_normal: truncated normal with variance 2 / fan-in; torch: what the layers come with."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.widths is not None and len(self.widths) != self.depth + 1:
            raise ValueError(
                f"widths has {len(self.widths)} numbers, depth {self.depth} wants {self.depth + 1}: one a level"
            )
        if self.widths is not None and min(self.widths) < 1:
            raise ValueError("every level has at least one channel")
        if self.padding == "valid" and self.stem > 1:
            raise ValueError("a valid network has no strided stem; set stem to 1 or padding to same")
        return self

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
    def up_convolutions(self) -> int:
        """Convolutions a level on the way up."""
        return self.decoder_convolutions or self.convolutions

    @property
    def stride(self) -> int:
        """Input pixels a pixel of the bottleneck stands for; sizes of a same-padded network are multiples of it."""
        return int(self.stem * 2**self.depth)

    @property
    def is_local(self) -> bool:
        """Whether a logit depends on nothing beyond the field of view, so that tiles can be exact."""
        return self.norm in {"batch", "none"}

    def has_dropout(self, level: int) -> bool:
        """Whether the blocks of this level end in dropout."""
        first = {"bottleneck": self.depth, "deep": self.depth - 1, "all": 0}[self.dropout_at]
        return self.dropout > 0 and level >= first
