"""Scoring while training: the whole of some validation images, at working size."""

from dataclasses import dataclass

import torch

from maskwright.anysize import image_logits
from maskwright.data.cache import Cache
from maskwright.data.preprocess import Preprocess
from maskwright.losses import Loss
from maskwright.metrics import Confusion, confusion_matrix, mean_iou, pixel_accuracy
from maskwright.model import UNet
from maskwright.tiling import Tiles
from maskwright.training.world import ALONE, World


@dataclass(frozen=True)
class ValidationScore:
    """What a validation says. All are over the pixels of all images together, but the loss, a mean over images.

    What is learned of objects is a class of its own here, unlike in an evaluation: by the score the best weights are
    chosen, and foreground is known long before the borders in it are.
    """

    loss: float
    mean_iou: float
    accuracy: float
    confusion: Confusion | None = None
    """Pixels by true class (rows) and predicted class (columns)."""


class Validation:
    """Scores a network on the same images of a cache each time it is called.

    Several processes share the images out and add up what they found, so that all of them know the scores of all.
    """

    def __init__(
        self,
        cache: Cache,
        preprocess: Preprocess,
        classes: int,
        loss: Loss,
        tiles: Tiles,
        world: World = ALONE,
    ):
        self.cache, self.preprocess, self.classes, self.loss, self.tiles = cache, preprocess, classes, loss, tiles
        self.world = world

    def __call__(self, network: UNet, device: torch.device) -> ValidationScore:
        """The network's scores; the network must be in evaluation mode."""
        total = 0.0
        confusion = confusion_matrix(torch.zeros(0), torch.zeros(0), self.classes)
        for i in range(self.world.rank, len(self.cache), self.world.size):
            image = torch.from_numpy(self.cache.image(i).astype("float32")).to(device)
            labels = torch.from_numpy(self.cache.labels(i).copy()).to(device)
            logits_KHW = image_logits(network, self.preprocess.normalise(image, self.cache.scaling(i)), self.tiles)
            total += float(self.loss(logits_KHW[None], labels[None]))
            confusion += confusion_matrix(decided(logits_KHW), labels, self.classes)
        total = float(self.world.sum(torch.tensor(total, dtype=torch.float64)))
        confusion = self.world.sum(torch.from_numpy(confusion)).numpy()
        return ValidationScore(total / len(self.cache), mean_iou(confusion), pixel_accuracy(confusion), confusion)


def decided(logits: torch.Tensor, dim: int = 0) -> torch.Tensor:
    """The label of each pixel: the highest logit, or with a single logit whether it is above 0."""
    if logits.shape[dim] == 1:
        return (logits.select(dim, 0) > 0).long()
    return logits.argmax(dim)
