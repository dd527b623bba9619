"""segmentation-models-pytorch, albumentations, a DataLoader and a loop of one's own: what most people write."""

import time
from collections.abc import Iterator

import albumentations as A
import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from albumentations.pytorch import ToTensorV2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from peers.plain import PlainUNet
from peers.task import VOID, Step, Task, endless, onto, predictor, read_labels, trained

cv2.setNumThreads(0)  # as albumentations advises beside a DataLoader


def pipeline(task: Task) -> A.Compose:
    """Flip, turn, enlarge and, where nothing is upright, bend; then light, noise and normalisation."""
    h, w = task.crop
    edge = {"border_mode": cv2.BORDER_REFLECT_101}
    turns = [A.HorizontalFlip(p=0.5)]
    if not task.upright:
        turns += [A.VerticalFlip(p=0.5), A.ElasticTransform(alpha=60, sigma=8, approximate=True, p=0.5, **edge)]
    return A.Compose(
        [
            *([A.Resize(*task.size)] if task.size else []),
            A.PadIfNeeded(h, w, fill_mask=VOID, **edge),
            A.RandomCrop(h, w),
            A.Affine(scale=(0.8, 1.25), rotate=(-task.turn, task.turn), p=1.0, fill_mask=VOID, **edge),
            *turns,
            A.RandomBrightnessContrast(0.2, 0.2, p=0.8),
            A.GaussNoise(std_range=(0.0, 0.05), p=0.5),
            A.Normalize(tuple(m / 255 for m in task.mean), tuple(s / 255 for s in task.std)),
            ToTensorV2(),
        ],
        seed=task.seed,
    )


class Images(Dataset):
    """Files, read and augmented one by one."""

    def __init__(self, task: Task):
        self.task, self.pipeline = task, pipeline(task)

    def __len__(self) -> int:
        return len(self.task.train)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        pair = self.task.train[i]
        flag = cv2.IMREAD_GRAYSCALE if self.task.channels == 1 else cv2.IMREAD_COLOR_RGB
        image = cv2.imread(str(pair.image), flag)
        image = image[:, :, None] if image.ndim == 2 else image
        seen = self.pipeline(image=np.ascontiguousarray(image), mask=read_labels(pair.labels))
        return seen["image"], seen["mask"].long()


class Peer:
    """A network of the library (resnet18), or a narrow plain one."""

    rate = 2e-3

    def __init__(self, network: str = "resnet18"):
        self.kind = network

    def made(self, task: Task) -> nn.Module:
        """The network, with random weights."""
        if self.kind == "narrow":
            return PlainUNet(task.channels, task.classes, base=16)
        return smp.Unet(self.kind, encoder_weights=None, in_channels=task.channels, classes=task.classes)

    def steps(self, task: Task, network: nn.Module | None = None, workers: int = 0) -> Iterator[None]:
        """Steps of training with the given network, or its own."""
        self.network = network = onto(task, network or self.made(task))
        self.optimizer = torch.optim.AdamW(network.parameters(), self.rate, weight_decay=1e-2)
        weight = None if task.weights is None else torch.tensor(task.weights, device=task.device)
        entropy = nn.CrossEntropyLoss(weight, ignore_index=VOID)
        dice = smp.losses.DiceLoss("multiclass", ignore_index=VOID)
        step = Step(task, network, lambda x, y: entropy(x.float(), y) + dice(x.float(), y), self.optimizer)
        loader = DataLoader(
            Images(task),
            task.batch,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=task.device != "cpu",
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
