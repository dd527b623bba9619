"""The predictor: one model or several, any image; the answer comes back in the image's own size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskwright.anysize import as_probabilities, enlarged_rows, image_logits, of_classes
from maskwright.data.labels import Labels
from maskwright.devices import DeviceSettings, choose, lay_channels_last
from maskwright.errors import SettingError
from maskwright.files import read_image
from maskwright.inference import ensemble
from maskwright.inference.ensemble import Ensemble
from maskwright.model import UNet
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
    marked: NDArray[np.uint8] | None = None
    """H W, the labels with one more, `classes.learned`, where the network sees what it learned of objects; None where
    it learned nothing of them."""

    @property
    def mask(self) -> NDArray[Any]:
        """H W, the values that the training masks use."""
        return self.classes.decode(self.labels)


Source = str | Path | Model | Ensemble
"""A model file, which may hold several models, or what was read from one."""


class Predictor:
    """Predicts images with one model on one device, or with several: the mean of their probabilities then.

    >>> predictor = Predictor("runs/cells/model.safetensors")  # doctest: +SKIP
    >>> prediction = predictor("photo.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Source | Sequence[Source],
        *,
        device: str = "auto",
        tiles: Tiles | None = None,
    ):
        self.device: DeviceSettings = choose(device)
        opened = _opened(model)
        self.members = [member.to(self.device.name) for member in opened.members]
        self.description = opened.description
        self.tiles = tiles or self.description.plan.tiles
        self._tiles = [tiles or member.description.plan.tiles for member in self.members]
        for member in self.members:
            # In prediction it pays on every device measured; see EXPERIMENTS.md.
            lay_channels_last(member.network.eval())

    @property
    def model(self) -> Model:
        """The model, if there is one.

        Raises:
            SettingError: there are several.
        """
        if len(self.members) > 1:
            raise SettingError(
                f"This predictor has {len(self.members)} models, whose probabilities are averaged; no single one, and "
                "no logits. Look at its members, or ask it for probabilities."
            )
        return self.members[0]

    @property
    def network(self) -> UNet:
        """The network, if there is one model.

        Raises:
            SettingError: there are several.
        """
        return self.model.network

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
        if len(self.members) > 1:
            return self._mean(image_HWC, file, probabilities)
        return self._in_own_size(self.logits(image_HWC, file), image_HWC.shape[:2], probabilities)

    def logits(self, image_HWC: NDArray[Any], file: object = "the image") -> Tensor:
        """Logits at working size, K h w float32.

        Raises:
            SettingError: there are several models, whose mean is of probabilities.
        """
        return self._logits(self.model, self.tiles, image_HWC, file)

    def _logits(self, member: Model, tiles: Tiles, image_HWC: NDArray[Any], file: object) -> Tensor:
        image = member.description.preprocess(image_HWC, file).to(self.device.name)
        return image_logits(member.network, image, tiles)

    def _in_own_size(self, logits_Khw: Tensor, size: tuple[int, int], probabilities: bool) -> Prediction:
        classes = self.description.labels
        drawn = _Drawn(classes, size)
        kept = np.empty((classes.count, *size), np.float32) if probabilities else None
        for rows in _bands(size[0]):
            shares = as_probabilities(enlarged_rows(logits_Khw, size, rows.start, rows.stop))
            shares = drawn.decide(rows, shares)
            if kept is not None:
                kept[:, rows] = shares.cpu().numpy()
        return Prediction(drawn.labels, kept, classes, drawn.marked)

    @torch.inference_mode()
    def _mean(self, image_HWC: NDArray[Any], file: object, probabilities: bool) -> Prediction:
        """By the mean of the members' probabilities; they are added up one member after the other, so that more
        members need no more memory.
        """
        size = image_HWC.shape[:2]
        total_KHW: Tensor | None = None
        for member, tiles in zip(self.members, self._tiles, strict=True):
            logits_Khw = self._logits(member, tiles, image_HWC, file)
            if total_KHW is None:
                total_KHW = logits_Khw.new_zeros(len(self.description.labels.outputs), *size)
            for rows in _bands(size[0]):
                total_KHW[:, rows] += as_probabilities(enlarged_rows(logits_Khw, size, rows.start, rows.stop))
            del logits_Khw  # the next member's take its room
        assert total_KHW is not None, "an ensemble has members"
        total_KHW /= len(self.members)
        classes = self.description.labels
        drawn = _Drawn(classes, size)
        for rows in _bands(size[0]):  # the argmax is of 64-bit numbers
            drawn.decide(rows, total_KHW[:, rows])
        kept = total_KHW[: classes.count].cpu().numpy() if probabilities else None
        return Prediction(drawn.labels, kept, classes, drawn.marked)


class _Drawn:
    """Labels that are decided band by band."""

    def __init__(self, classes: Labels, size: tuple[int, int]):
        self.classes = classes
        self.labels = np.empty(size, np.uint8)
        self.marked = None if classes.objects is None else np.empty(size, np.uint8)

    def decide(self, rows: slice, shares_KhW: Tensor) -> Tensor:
        """Decide the labels of these rows; the classes' probabilities, in the room of those of the outputs."""
        shares_KhW, marked_hW = of_classes(shares_KhW, self.classes)
        labels_hW = shares_KhW.argmax(0).to(torch.uint8).cpu().numpy()
        self.labels[rows] = labels_hW
        if self.marked is not None and marked_hW is not None:
            inside_hW = marked_hW.cpu().numpy() & (labels_hW == self.classes.foreground)
            self.marked[rows] = np.where(inside_hW, np.uint8(self.classes.count), labels_hW)
        return shares_KhW


def _bands(height: int) -> Iterator[slice]:
    return (slice(first, min(height, first + BAND)) for first in range(0, height, BAND))


def _opened(model: Source | Sequence[Source]) -> Ensemble:
    several = [model] if isinstance(model, str | Path | Model | Ensemble) else list(model)
    names = [str(one) if isinstance(one, str | Path) else f"model {n}" for n, one in enumerate(several, start=1)]
    opened = [ensemble.load(one) if isinstance(one, str | Path) else one for one in several]
    return ensemble.joined(opened, names)
