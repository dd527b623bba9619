"""Any timm model with features at several strides, as the encoder of a U-Net (Wightman, pytorch-image-models)."""

from typing import Any

import torch
from torch import Tensor, nn

from maskwright.errors import SettingError
from maskwright.model.encoders.taps import body, taps_of
from maskwright.model.record import UNetRecord


class TimmEncoder(nn.Module):
    """Features of an image at strides 1, 2 … 2**depth, by a timm model with random weights.

    >>> encoder = TimmEncoder(UNetRecord(depth=5, encoder=EncoderRecord(name="resnet34")))
    >>> encoder.channels
    (None, 64, 64, 128, 256, 512)
    >>> encoder(torch.zeros(1, 3, 64, 64))[-1].shape
    torch.Size([1, 512, 2, 2])

    Only what these features need is kept: the classifier and later stages are not there. `encoder.name` may end in the
    tag of certain weights, as in resnet34.tv_in1k; it makes no difference before `load_pretrained`.

    Raises:
        SettingError: timm is not installed or does not know the name; the model is too shallow for the depth, has
            features at one stride only, or does not take every size that the depth allows.
    """

    channels: tuple[int | None, ...]
    """Channels of each map, entry i at stride 2**i; None where the model has none. Entry 0 is the model's own where it
    has one (VGG, DLA), else `in_channels` if the image is to be the finest skip, else None."""

    def __init__(self, record: UNetRecord):
        super().__init__()
        self.name = record.encoder.name
        self.in_channels = record.in_channels
        if record.dims != 2:
            raise SettingError(
                f"encoder.name is {self.name!r}, a timm model, and these are for 2-D images. "
                "Set dims to 2, or encoder.name to plain or residual."
            )
        self.taps = taps_of(self.name, record.depth, record.in_channels)
        self.body = body(self.name, self.taps)
        channels = dict(zip(self.taps.places, self.taps.channels, strict=True))
        self.shows_image = record.encoder.image_skip and 0 not in channels
        if self.shows_image:
            channels[0] = record.in_channels
        self.channels = tuple(channels.get(place) for place in range(record.depth + 1))
        self.register_load_state_dict_post_hook(_fill_computed_buffers)

    def forward(self, images: Tensor) -> list[Tensor | None]:
        """Maps as in `channels`, B C H/2**i W/2**i, for images B C H W whose sides are multiples of 2**depth."""
        maps: list[Tensor | None] = [None] * len(self.channels)
        if self.shows_image:
            maps[0] = images
        for place, features in zip(self.taps.places, self.body(images), strict=True):
            maps[place] = features.permute(0, 3, 1, 2) if self.taps.channels_last else features
        return maps

    def levels(self) -> list[list[nn.Parameter]]:
        """Each parameter that learns, once, from front to back: what the first map needs, what the next adds …"""
        return [[self.body.get_parameter(name) for name in level] for level in self.taps.levels]


def _fill_computed_buffers(encoder: TimmEncoder, _: Any) -> None:
    """Give an encoder built on the meta device its computed buffers: they are no weights, so no file holds them."""
    device = next(encoder.body.parameters()).device
    computed = dict(encoder.body.named_buffers()).keys() - encoder.body.state_dict().keys()
    if device.type == "meta" or not any(encoder.body.get_buffer(buffer).is_meta for buffer in computed):
        return
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        twin = body(encoder.name, encoder.taps)
    for buffer in computed:
        owner, _, last = buffer.rpartition(".")
        setattr(encoder.body.get_submodule(owner), last, twin.get_buffer(buffer).to(device))
