"""The U-Net: one encoder, one decoder, skips between them. Ronneberger, Fischer, Brox 2015, arXiv 1505.04597."""

from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional as F

from maskwright.model import decoder, encoders
from maskwright.model.layers import convolution, crop, initialise
from maskwright.model.record import UNetRecord
from maskwright.model.sizes import demand_fit
from maskwright.model.ways import Enlarge, closing


class UNet(nn.Module):
    """A U-Net as a plain `nn.Module`: images in, logits out.

    >>> network = UNet(in_channels=3, classes=2, depth=3, base=16)
    >>> network(torch.zeros(1, 3, 101, 90)).shape
    torch.Size([1, 2, 101, 90])

    A same-padded network takes any size: it is mirrored up to a multiple of `record.stride` at the lower and right
    border, and the logits are cut back. A valid network takes sizes that fit and says which do (`model.sizes`).
    In three dimensions all this holds for D H W.

    trimmed: pixels on each side of which there are no logits, of a copy that `model.trimming` made.
    """

    trimmed = 0

    def __init__(self, in_channels: int = 3, classes: int = 2, **settings: Any):
        super().__init__()
        record = UNetRecord.read({"in_channels": in_channels, "classes": classes, **settings}, "UNet(…)")
        self.record = record
        self.encoder = encoders.build(record)
        self.decoder = decoder.build(record, self.encoder.channels)
        finest, *others = self.decoder.channels
        self.closing = closing(record.in_decoder, finest)
        self.head = convolution(record, finest, record.classes, record.head_kernel)
        self.side_heads = nn.ModuleList(
            convolution(record, channels, record.classes, 1) for channels in (others if record.deep_supervision else ())
        )
        self.enlarge: nn.Module = Enlarge(record.stem) if record.stem > 1 else nn.Identity()
        if record.init != "torch":
            self._initialise()

    def _initialise(self) -> None:
        parts = [self.decoder, self.head, self.side_heads]
        # A timm encoder draws its own weights.
        for part in [self.encoder, *parts] if self.record.encoder.is_own else parts:
            assert isinstance(part, nn.Module)
            initialise(self.record, part)
        # The heads start near zero, so that no step is spent on unlearning a random opinion; how likely each class is
        # at first is left to their biases.
        for head in (self.head, *self.side_heads):
            assert isinstance(head.weight, Tensor)
            nn.init.normal_(head.weight, std=0.01)

    @classmethod
    def from_record(cls, record: UNetRecord) -> Self:
        """The network a record describes, with fresh weights."""
        return cls(**record.plain())

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits, B K H W, float, for images B C H W, float, normalised; smaller than the images when valid.

        Under deep supervision, in training: a tuple of them, those above first. Then come the coarser levels', each in
        its own resolution, cut to what covers the first: level i has ⌈H / 2^i⌉ rows, ⌈H / (stem · 2^i)⌉ where there
        is a stem; a valid network may have one more, to stay symmetric. U-Net++ gives all at the first's size.

        Raises:
            DataError: the size does not fit a valid network.
        """
        size = images.shape[2:]
        if self.record.padding == "valid":
            demand_fit(self.record, *size)
        else:
            images = mirror_to_multiple(images, self.record.stride)
        if not (self.training and self.record.deep_supervision):
            logits = self.logits(images)
            return logits if self.record.padding == "valid" else start(logits, size)
        every = self.all_logits(images)
        coarser = 0 if self.record.skip == "nested" else self.record.stem  # U-Net++ has one resolution
        strides = [1, *(coarser * 2**level or 1 for level in range(1, len(every)))]
        if self.record.padding == "same":
            return tuple(start(logits, covering(size, s)) for logits, s in zip(every, strides, strict=True))
        size = every[0].shape[2:]
        return tuple(middle(logits, covering(size, s)) for logits, s in zip(every, strides, strict=True))

    def logits(self, images: Tensor) -> Tensor:
        """Logits for images whose size fits: of the finest level alone, in training too."""
        out: Tensor = self.enlarge(self.head(self.closing(self.decoder(self.encoder(images))[0])))
        return out

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Under deep supervision, in training: logits of every level, the finest first, for images whose size fits."""
        finest, *others = self.decoder(self.encoder(images))
        sides = [head(features) for head, features in zip(self.side_heads, others, strict=True)]
        if self.record.skip == "nested":
            sides = [self.enlarge(logits) for logits in sides]
        return (self.enlarge(self.head(self.closing(finest))), *sides)


def covering(size: Sequence[int], stride: int) -> list[int]:
    """The size of the smallest map, of pixels as wide as `stride`, that covers an image of that size."""
    return [-(-n // stride) for n in size]


def start(logits: Tensor, size: Sequence[int]) -> Tensor:
    """The upper left part, of that size."""
    for dim, n in enumerate(size, start=2):
        logits = logits.narrow(dim, 0, n)
    return logits


def middle(logits: Tensor, size: Sequence[int]) -> Tensor:
    """The middle, of that size or one more: as much is cut on either side."""
    return crop(logits, [n + (have - n) % 2 for have, n in zip(logits.shape[2:], size, strict=True)])


def mirror_to_multiple(images: Tensor, stride: int) -> Tensor:
    """Images, B C H W, mirrored at the lower and right border until both sides are multiples of `stride`.

    Images too small to mirror that far repeat their last row or column instead. In three dimensions: B C D H W.
    """
    more = [-n % stride for n in images.shape[2:]]
    if not any(more):
        return images
    pads = [side for n in reversed(more) for side in (0, n)]
    mode = "reflect" if all(m < n for m, n in zip(more, images.shape[2:], strict=True)) else "replicate"
    return F.pad(images, pads, mode=mode)
