"""How a skip joins what comes up from below, at one level of the decoder. Shapes: B C H W, or B C D H W."""

import torch
from torch import Tensor, nn

from maskwright.errors import SettingError
from maskwright.model.layers import activation, convolution, crop
from maskwright.model.record import UNetRecord


class Join(nn.Module):
    """The skip, cropped to what comes up, and that, one after the other in the channels; a sum where wanted.

    channels: of what comes out.
    """

    def __init__(self, record: UNetRecord, skip_channels: int | None, up_channels: int):
        super().__init__()
        # Where a timm encoder has nothing to hand over, what comes up goes on alone.
        self.is_used = skip_channels is not None and record.skip != "none"
        self.adds = record.skip == "add"
        self.channels = up_channels
        self.gate: Gate | None = None
        if not self.is_used or skip_channels is None:
            return
        if self.adds and skip_channels != up_channels:
            raise SettingError(
                f"skip=add: a skip of the encoder has {skip_channels} channels, what comes up has {up_channels}. "
                "Set decoder_widths to the encoder's channels with up_width=level, or skip to concat."
            )
        if not self.adds:
            self.channels += skip_channels
        if record.skip == "attention":
            self.gate = Gate(record, skip_channels, up_channels)

    def forward(self, skip: Tensor | None, below: Tensor) -> Tensor:
        """B C H W, perhaps larger, and B C' H W → B C″ H W."""
        if skip is None or not self.is_used:
            return below
        skip = crop(skip, below.shape[2:])
        if self.gate is not None:
            skip = self.gate(skip, below)
        return skip + below if self.adds else torch.cat([skip, below], dim=1)


class Gate(nn.Module):
    """The additive attention gate: a skip that is dimmed where what comes from below sees nothing.

    α = σ(ψ · act(Wx · skip + Wg · below + b) + b'), and α · skip comes out; all three are 1×1 convolutions, half as
    wide as the skip between. The paper looks at the map below before it is enlarged and then enlarges α; here it looks
    after, so that each pixel has an α of its own. Source: Oktay et al. 2018, arXiv 1804.03999, equations 1 and 2.
    """

    def __init__(self, record: UNetRecord, skip_channels: int, below_channels: int):
        super().__init__()
        narrow = max(1, skip_channels // 2)
        self.of_skip = convolution(record, skip_channels, narrow, 1, bias=False)
        self.of_below = convolution(record, below_channels, narrow, 1)
        self.decide = nn.Sequential(activation(record), convolution(record, narrow, 1, 1))

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """B C H W and B C' H W → B C H W."""
        return skip * torch.sigmoid(self.decide(self.of_skip(skip) + self.of_below(below)))
