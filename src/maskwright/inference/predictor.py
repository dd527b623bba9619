"""The predictor: one model, any image; the answer comes back in the image's own size."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from maskwright import modelfile
from maskwright.anysize import image_logits
from maskwright.data.labels import Labels
from maskwright.devices import DeviceSettings, choose, lay_channels_last
from maskwright.errors import SettingError
from maskwright.files import read_image
from maskwright.modelfile import Model
from maskwright.tiling import Tiles

BAND = 512
"""Rows that are enlarged and decided at a time: probabilities of a whole large image are never held at once."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image."""

    labels: NDArray[np.uint8]
    """H W, the most probable label of each pixel."""
    probabilities: NDArray[np.float32] | None
    """K H W, if they were asked for; over the classes they add up to 1."""
    classes: Labels

    @property
    def mask(self) -> NDArray[Any]:
        """H W, the values that the training masks use."""
        return self.classes.decode(self.labels)


class Predictor:
    """Predicts images with one model on one device.

    >>> predictor = Predictor("runs/cells/model.safetensors")  # doctest: +SKIP
    >>> prediction = predictor("photo.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | Path | Model,
        *,
        device: str = "auto",
        tiles: Tiles | None = None,
    ):
        self.model = modelfile.load(model) if isinstance(model, str | Path) else model
        self.description = self.model.description
        self.tiles = tiles or self.description.plan.tiles
        self.device: DeviceSettings = choose(device)
        self.network = self.model.network.to(self.device.name).eval()
        # In prediction it pays on every device measured; see EXPERIMENTS.md.
        lay_channels_last(self.network)

    def __call__(self, image: str | Path | NDArray[Any], *, probabilities: bool = False) -> Prediction:
        """The prediction for an image: a file, or an array H W or H W C as it would be read from one.

        Raises:
            ReadError, DataError: the file does not open; channels or kind of value are not the model's.
        """
        file = "the image" if isinstance(image, np.ndarray) else image
        image_HWC = image if isinstance(image, np.ndarray) else read_image(image)
        if image_HWC.ndim == 2:
            image_HWC = image_HWC[:, :, None]
        if image_HWC.ndim != 3:
            raise SettingError(f"An image has the shape H W or H W C, not {image_HWC.shape}.")
        logits_Khw = self.logits(image_HWC, file)
        return self._in_own_size(logits_Khw, image_HWC.shape[:2], probabilities)

    def logits(self, image_HWC: NDArray[Any], file: object = "the image") -> Tensor:
        """Logits at working size, K h w float32."""
        image = self.description.preprocess(image_HWC, file).to(self.device.name)
        return image_logits(self.network, image, self.tiles)

    def _in_own_size(self, logits_Khw: Tensor, size: tuple[int, int], probabilities: bool) -> Prediction:
        labels = np.empty(size, np.uint8)
        kept = np.empty((self.description.labels.count, *size), np.float32) if probabilities else None
        for first in range(0, size[0], BAND):
            stop = min(size[0], first + BAND)
            band_KhW = enlarged_rows(logits_Khw, size, first, stop)
            shares = as_probabilities(band_KhW)
            labels[first:stop] = shares.argmax(0).to(torch.uint8).cpu().numpy()
            if kept is not None:
                kept[:, first:stop] = shares.cpu().numpy()
        return Prediction(labels, kept, self.description.labels)


def as_probabilities(logits_KHW: Tensor) -> Tensor:
    """Probabilities over all classes, K H W; a single logit gives two."""
    if logits_KHW.shape[0] == 1:
        foreground = logits_KHW.sigmoid()
        return torch.cat([1 - foreground, foreground])
    return logits_KHW.softmax(0)


def enlarged_rows(logits_Khw: Tensor, size: tuple[int, int], first: int, stop: int) -> Tensor:
    """Rows first … stop-1 of the logits enlarged bilinearly to `size`, K rows W; the same as enlarging them all."""
    h, w = logits_Khw.shape[1:]
    if (h, w) == tuple(size):
        return logits_Khw[:, first:stop]
    where = ((torch.arange(first, stop, device=logits_Khw.device) + 0.5) * (h / size[0]) - 0.5).clamp(0, h - 1)
    low = where.floor().long()
    high = (low + 1).clamp(max=h - 1)
    share = (where - low)[None, :, None]
    rows = torch.lerp(logits_Khw[:, low], logits_Khw[:, high], share)
    if w == size[1]:
        return rows
    return F.interpolate(rows, size=size[1], mode="linear", align_corners=False)
