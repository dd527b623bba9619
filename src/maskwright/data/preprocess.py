"""Preprocessing, once: from an image as stored to what the network sees. The record travels in the model file."""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from maskwright.data.moments import Moments, Scaling
from maskwright.data.resizing import nearest, taps
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
    statistics: Literal["training", "image"] = "training"
    """training: mean and std are those above. image: each image's own, over its pixels that hold data, at working size;
    brightness and contrast of an image then say nothing."""

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
        size = self.working_size(*image_HWC.shape[:2])
        if self.interpolation == "nearest":
            image_HWC = self.resize_labels(image_HWC)
        # A copy in any case: a tensor over memory that may not be written draws a warning.
        image_CHW = torch.from_numpy(np.array(np.moveaxis(image_HWC, 2, 0), np.float32, order="C"))
        if size == tuple(image_HWC.shape[:2]):
            return image_CHW
        if size[1] == 1:  # torch's own gives every row the first one's value there (2.15)
            rows, columns = (taps(n, to, "bilinear") for n, to in zip(image_HWC.shape[:2], size, strict=True))
            return columns.resized(rows.resized(image_CHW, 1, 0, size[0]), 2, 0, 1)
        return F.interpolate(image_CHW[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]

    def resize_labels(self, labels_HW: NDArray[Any]) -> NDArray[Any]:
        """The labels at the working size, h w: each takes the label at its middle, so no label is made up."""
        height, width = labels_HW.shape[:2]
        h, w = self.working_size(height, width)
        return np.ascontiguousarray(labels_HW[nearest(height, h)[:, None], nearest(width, w)])

    def normalise(self, image: Tensor, own: Scaling | None = None) -> Tensor:
        """Stored values … C h w → what the network sees, float32.

        own: of the image that these are a part of, where `statistics` are the image's; None: they are all of it.
        """
        mean, std = (torch.tensor(x, device=image.device)[:, None, None] for x in self.scaling(image, own))
        return (image.float() - mean) / std

    def scaling(self, image_Chw: Tensor, own: Scaling | None = None) -> Scaling:
        """The mean and the std that an image is normalised with, as for `normalise`."""
        if self.statistics == "training":
            return self.mean, self.std
        return own or Moments.of(image_Chw.flatten(1).T.cpu().numpy()).scaling

    def enlarged(self, scale: float) -> "Preprocess":
        """The same at so many times the working size."""
        if self.size is None:
            return self.model_copy(update={"scale": self.scale * scale})
        height, width = (max(1, round(n * scale)) for n in self.size)
        return self.model_copy(update={"size": (height, width)})

    def __call__(self, image_HWC: NDArray[Any], file: object = "the image") -> Tensor:
        """What the network sees of an image as stored: C h w float32."""
        return self.normalise(self.resize(self.to_channels(image_HWC, file)))
