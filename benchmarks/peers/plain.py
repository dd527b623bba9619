"""A plain copy of the U-Net (31 million parameters at base 64), a plain loop: no augmentation, Adam, a DataLoader."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from peers.task import Step, Task, cross_entropy_and_dice, endless, onto, predictor, read_image, read_labels, trained


def two(inside: int, out: int) -> nn.Sequential:
    """Two convolutions with batch norm and ReLU."""
    layers = []
    for first in (inside, out):
        layers += [nn.Conv2d(first, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class PlainUNet(nn.Module):
    """The U-Net of 2015 with padded convolutions and batch norm."""

    def __init__(self, channels: int, classes: int, base: int = 64, depth: int = 4):
        super().__init__()
        widths = [base * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList(two(a, b) for a, b in zip([channels, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in widths[:-1])
        self.join = nn.ModuleList(two(2 * w, w) for w in widths[:-1])
        self.head = nn.Conv2d(base, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        skips = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        for i in reversed(range(len(self.up))):
            x = self.join[i](torch.cat([skips[i], self.up[i](x)], dim=1))
        return self.head(x)


class Crops(Dataset):
    """A random crop of each image, as stored."""

    def __init__(self, task: Task):
        self.task = task

    def __len__(self) -> int:
        return len(self.task.train)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        pair, (h, w) = self.task.train[i], self.task.crop
        image, labels = read_image(pair.image, self.task.channels), read_labels(pair.labels)
        image = torch.from_numpy(image.copy()).movedim(-1, 0)[None].float()
        labels = torch.from_numpy(labels.copy())[None, None].float()
        if self.task.size:
            image, labels = F.interpolate(image, self.task.size, mode="bilinear"), F.interpolate(labels, self.task.size)
        H, W = image.shape[-2:]
        image, labels = (
            F.pad(t, (0, max(0, w - W), 0, max(0, h - H)), value=v) for t, v in ((image, 0), (labels, 255))
        )
        H, W = image.shape[-2:]
        y, x = np.random.randint(H - h + 1), np.random.randint(W - w + 1)
        mean, std = (torch.tensor(v)[:, None, None] for v in (self.task.mean, self.task.std))
        return (image[0, :, y : y + h, x : x + w] - mean) / std, labels[0, 0, y : y + h, x : x + w].long()


class Peer:
    """The plain network in the plain loop."""

    rate = 1e-3

    def steps(self, task: Task, network: nn.Module | None = None, workers: int = 0) -> Iterator[None]:
        """Steps of training with the given network, or its own."""
        network = onto(task, network or PlainUNet(task.channels, task.classes, base=16))
        self.network = network
        self.optimizer = torch.optim.Adam(network.parameters(), self.rate)
        step = Step(task, network, cross_entropy_and_dice(task), self.optimizer)
        loader = DataLoader(
            Crops(task), task.batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
        )
        for images, labels in endless(loader):
            step(images, labels)
            yield

    def train(self, task: Task, seconds: float):
        """Train for so long; labels of an image by path."""
        started = time.monotonic()
        steps = self.steps(task)
        next(steps)
        self.count = trained(steps, self.optimizer, self.rate, started, seconds)
        return predictor(task, self.network)
