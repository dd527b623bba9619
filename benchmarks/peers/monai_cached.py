"""MONAI: dictionary transforms, CacheDataset, its DataLoader, its BasicUNet, and the loop of its tutorials."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader
from monai.networks.nets import BasicUNet
from monai.transforms import (
    Compose,
    EnsureTyped,
    Lambdad,
    NormalizeIntensityd,
    Rand2DElasticd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
    Resized,
    SpatialPadd,
)
from torch import nn

from peers.task import (
    VOID,
    Step,
    Task,
    cross_entropy_and_dice,
    endless,
    onto,
    predictor,
    read_image,
    read_labels,
    trained,
)  # fmt: skip

BOTH = ("image", "label")


def pipeline(task: Task) -> Compose:
    """Everything up to the first random transform is cached."""
    modes = {"mode": ("bilinear", "nearest"), "padding_mode": ("reflection", "reflection")}
    turn = float(np.deg2rad(task.turn))
    if task.upright:
        warps = [RandAffined(BOTH, prob=1.0, rotate_range=turn, scale_range=(-0.2, 0.25), **modes)]
    else:
        warps = [
            RandFlipd(BOTH, 0.5, spatial_axis=0),
            Rand2DElasticd(
                BOTH, spacing=(32, 32), magnitude_range=(2, 6), prob=1.0, rotate_range=turn, scale_range=0.25, **modes
            ),
        ]
    return Compose(
        [
            Lambdad("image", lambda path: np.moveaxis(read_image(path, task.channels), 2, 0).astype(np.float32)),
            Lambdad("label", lambda path: read_labels(path)[None].copy()),
            EnsureTyped(BOTH, dtype=(torch.float32, torch.uint8), track_meta=False),
            NormalizeIntensityd("image", task.mean, task.std, channel_wise=True),
            *([Resized(BOTH, task.size, mode=("bilinear", "nearest"))] if task.size else []),
            SpatialPadd("image", task.crop, mode="reflect"),
            SpatialPadd("label", task.crop, value=VOID),
            RandSpatialCropd(BOTH, task.crop, random_size=False),
            RandFlipd(BOTH, 0.5, spatial_axis=1),
            *warps,
            RandScaleIntensityd("image", 0.2, prob=0.8),
            RandShiftIntensityd("image", 0.2, prob=0.8),
            RandGaussianNoised("image", prob=0.5, std=0.1),
        ]
    )


class Peer:
    """BasicUNet."""

    rate = 2e-3

    def steps(self, task: Task, network: nn.Module | None = None, workers: int = 0) -> Iterator[None]:
        """Steps of training with the given network, or its own."""
        features = (16, 16, 32, 64, 128, 16)
        self.network = network = onto(
            task, network or BasicUNet(2, task.channels, task.classes, features, norm="batch", act="relu")
        )
        self.optimizer = torch.optim.AdamW(network.parameters(), self.rate, weight_decay=1e-2)
        step = Step(task, network, cross_entropy_and_dice(task), self.optimizer)
        files = [{"image": p.image, "label": p.labels} for p in task.train]
        cached = CacheDataset(files, pipeline(task), cache_rate=1.0, num_workers=2, progress=False)
        loader = DataLoader(
            cached,
            batch_size=task.batch,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=task.device != "cpu",
        )
        for batch in endless(loader):
            step(batch["image"], batch["label"][:, 0])
            yield

    def train(self, task: Task, seconds: float):
        """Train for so long; labels of an image by path."""
        started = time.monotonic()
        steps = self.steps(task)
        next(steps)
        self.count = trained(steps, self.optimizer, self.rate, started, seconds)
        return predictor(task, self.network)
