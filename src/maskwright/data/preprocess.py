"""Preprocessing, once: from an image as stored to what the network sees. The record travels in the model file."""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from maskwright.errors import DataError
from maskwright.records import Record

# ITU-R BT.601, what Pillow's convert("L") uses.
LUMINANCE = (0.299, 0.587, 0.114)


class Preprocess(Record):
    """Channels, working size, and the normalisation of values. Nothing here is guessed from a single image."""

    channels: int
    dtype: str
    """The kind of value the images hold: uint8, uint16, float32. Others would mean another brightness."""
    scale: float = Field(1.0, gt=0)
    """Working pixels an image pixel, in each direction."""
    size: tuple[int, int] | None = None
    """Height and width that every image is resized to, in place of `scale`."""
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    """How images are resized. bilinear: anti-aliased where they become smaller; nearest: as labels always are."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """In stored values, a number a channel: the network sees (value - mean) / std."""

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which the network sees an image of that size."""
        if self.size is not None:
            return self.size
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))

    def to_channels(self, image_HWC: NDArray[Any], file: object = "the image") -> NDArray[Any]:
        """The image with the network's channels: grey is repeated for colour, colour becomes luminance.

        Raises:
            DataError: the channels or the kind of value are not those the network was made for.
        """
        if str(image_HWC.dtype) != self.dtype:
            raise DataError(
                f"{file} holds {image_HWC.dtype} values, the model was made for {self.dtype}: the same number would "
                f"mean another brightness. Convert the image to {self.dtype} as the training images were."
            )
        found = image_HWC.shape[2]
        if found == self.channels:
            return image_HWC
        if found == 1 and self.channels == 3:
            return np.repeat(image_HWC, self.channels, axis=2)
        if found == 3 and self.channels == 1:
            grey = image_HWC.astype(np.float32) @ np.array(LUMINANCE, np.float32)
            if self.dtype != "float32":
                grey = np.rint(grey)
            return grey.astype(image_HWC.dtype)[:, :, None]
        raise DataError(f"{file} has {found} channels, the model was made for {self.channels}.")

    def resize(self, image_HWC: NDArray[Any]) -> Tensor:
        """The image at its working size, C h w float32, in stored values."""
        if self.interpolation == "nearest":
            image_HWC = self.resize_labels(image_HWC)
        # A copy in any case: a tensor over memory that may not be written draws a warning.
        image_CHW = torch.from_numpy(np.array(np.moveaxis(image_HWC, 2, 0), np.float32, order="C"))
        size = self.working_size(*image_HWC.shape[:2])
        if self.interpolation == "nearest" or size == tuple(image_HWC.shape[:2]):
            return image_CHW
        if size[1] == 1:
            # Of a result one pixel wide, torch 2.15 gives each row the first one's values: so it is made lying down.
            return _smoothly(image_CHW.mT.contiguous(), size[::-1]).mT
        return _smoothly(image_CHW, size)

    def resize_labels(self, labels_HW: NDArray[Any]) -> NDArray[Any]:
        """The labels at the working size, h w: each takes the label at its middle, so no label is made up."""
        height, width = labels_HW.shape[:2]
        h, w = self.working_size(height, width)
        rows = ((np.arange(h) + 0.5) * height / h).astype(int)
        columns = ((np.arange(w) + 0.5) * width / w).astype(int)
        return np.ascontiguousarray(labels_HW[rows[:, None], columns])

    def normalise(self, image: Tensor) -> Tensor:
        """Stored values … C h w → what the network sees, float32."""
        mean, std = (torch.tensor(x, device=image.device)[:, None, None] for x in (self.mean, self.std))
        return (image.float() - mean) / std

    def __call__(self, image_HWC: NDArray[Any], file: object = "the image") -> Tensor:
        """What the network sees of an image as stored: C h w float32."""
        return self.normalise(self.resize(self.to_channels(image_HWC, file)))


def _smoothly(image_CHW: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(image_CHW[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
