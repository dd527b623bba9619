"""What an encoder owes the decoder, and which one a record means."""

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from torch import Tensor, nn

from maskwright.model.encoders.plain import PlainEncoder
from maskwright.model.record import UNetRecord

if TYPE_CHECKING:
    from maskwright.model.encoders.weights import WeightsInfo


class Encoder(Protocol):
    """An `nn.Module` that looks at the image and hands over what it sees at each resolution.

    Built from a record alone. The network keeps it under `encoder`, so its parameters are those below `encoder.`.
    """

    channels: tuple[int | None, ...]
    """Channels of what `forward` gives: one skip a level, the finest first, then the bottleneck. None: no features
    there; the bottleneck always has some."""

    def __call__(self, images: Tensor) -> list[Tensor | None]:
        """Features of images B C H W at strides 1, 2, 4 … 2**depth (times the stem's), in a list of its own."""

    def levels(self) -> list[list[nn.Parameter]]:
        """Its parameters by level, those nearest to the image first."""


def build(record: UNetRecord) -> Encoder:
    """The encoder a record names.

    Raises:
        SettingError: a timm model is named and there is no such one, or timm is not installed.
    """
    if record.encoder.is_own:
        return PlainEncoder(record)
    # Imported by name and only here: the core works without timm.
    timm = importlib.import_module("maskwright.model.encoders.timm")
    return cast("Encoder", timm.TimmEncoder(record))


def load_weights(encoder: Encoder, record: UNetRecord) -> "WeightsInfo | None":
    """Put in the first weights that the record names for its encoder; what they are, None where it names none.

    Raises:
        SettingError: they are not to be had, or do not fit; says the ways out.
    """
    if record.encoder.weights is None:
        return None
    weights = importlib.import_module("maskwright.model.encoders.weights")  # needs timm
    return cast("WeightsInfo", weights.load_pretrained(encoder, record.encoder.weights, record.in_channels))
