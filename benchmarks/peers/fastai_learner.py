"""fastai: a DataBlock of images and masks, its augmentations, a Learner with one cycle; its own U-Net on a resnet18."""

import time
from typing import Any

import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.schedule import combined_cos
from fastai.data.block import DataBlock
from fastai.data.transforms import RandomSplitter
from fastai.learner import Learner
from fastai.vision.augment import RandomCrop, Resize, ResizeMethod, aug_transforms
from fastai.vision.core import PILImage, PILImageBW
from fastai.vision.data import ImageBlock, MaskBlock, Normalize
from fastai.vision.learner import unet_learner
from torch import nn
from torchvision.models import resnet18

from peers.task import Gate, Task, cross_entropy_and_dice, predictor


class After(Callback):
    """Tells of each step."""

    def __init__(self, told: Any):
        super().__init__()
        self.told = told

    def after_batch(self) -> None:
        """After each batch."""
        if self.training:
            self.told()


class TimedCycle(Callback):
    """One cycle over the time there is, in place of a number of epochs that one would have to guess."""

    def __init__(self, top: float, started: float, seconds: float):
        super().__init__()
        self.rate, self.momentum = combined_cos(0.25, top / 25, top, top / 1e5), combined_cos(0.25, 0.95, 0.85, 0.95)
        self.started, self.seconds, self.count = started, seconds, 0

    def before_batch(self) -> None:
        """Before each batch."""
        done = min(1.0, (time.monotonic() - self.started) / self.seconds)
        if done >= 1:
            raise CancelFitException
        self.learn.opt.set_hyper("lr", float(self.rate(done)))
        self.learn.opt.set_hyper("mom", float(self.momentum(done)))
        self.count += 1


def loaders(task: Task, workers: int) -> Any:
    """The data, with fastai's usual transforms for them."""
    items = list(task.train)
    image = ImageBlock(PILImageBW if task.channels == 1 else PILImage)
    fit = Resize(task.size, method=ResizeMethod.Squish) if task.size else RandomCrop(task.crop)
    mean, std = ([v / 255 for v in values] for values in (task.mean, task.std))
    changes = aug_transforms(
        flip_vert=not task.upright,
        max_rotate=task.turn,
        min_zoom=0.8,
        max_zoom=1.25,
        max_warp=0.1,
        p_affine=1.0,
        p_lighting=0.8,
    )
    block = DataBlock(
        blocks=(image, MaskBlock()),
        get_x=lambda pair: pair.image,
        get_y=lambda pair: pair.labels,
        splitter=RandomSplitter(0.0, seed=task.seed),
        item_tfms=[fit],
        batch_tfms=[*changes, Normalize.from_stats(mean, std)],
    )
    return block.dataloaders(
        items, bs=task.batch, num_workers=workers, device=torch.device(task.device), drop_last=True
    )


class Peer:
    """A given network, or the library's own."""

    rate = 1e-3

    def learner(self, task: Task, network: nn.Module | None, workers: int) -> Learner:
        """The data, the network and the loss, together."""
        data, loss = loaders(task, workers), cross_entropy_and_dice(task)
        if network is None:
            learn = unet_learner(
                data,
                resnet18,
                pretrained=False,
                n_in=task.channels,
                n_out=task.classes,
                loss_func=loss,
                normalize=False,
            )
        else:
            learn = Learner(data, network, loss_func=loss)
        learn.remove_cbs([c for c in learn.cbs if type(c).__name__ in {"ProgressCallback", "Recorder"}])
        return learn.to_bf16() if task.device != "cpu" and hasattr(learn, "to_bf16") else learn

    def steps(self, task: Task, network: nn.Module | None = None, workers: int = 0) -> Gate:
        """Steps of training with the given network, or its own."""
        learn = self.learner(task, network, workers)
        return Gate(lambda gate: learn.fit_one_cycle(10**6, self.rate, cbs=[After(gate.passed)]))

    def train(self, task: Task, seconds: float):
        """Train for so long; labels of an image by path."""
        started = time.monotonic()
        learn = self.learner(task, None, 0)
        cycle = TimedCycle(self.rate, started, seconds)
        learn.fit(10**6, self.rate, cbs=[cycle])
        self.count = cycle.count
        return predictor(task, learn.model)
