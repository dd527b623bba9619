"""nnU-Net: its loader, its trainer's augmentation, PlainConvUNet with deep supervision, loss, optimiser and step.

The trainer's own class wants preprocessed folders and 1,000 epochs of 250 steps; here its parts do the same from
memory, and its polynomial rate runs over the time there is. Mirrored prediction, as it does.
"""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn
from torch.nn import functional as F

from peers.task import VOID, Task, onto, predictor, read_image, read_labels


class Memory:
    """Preprocessed cases, as its datasets give them: normalised, C 1 H W, with the places of each class."""

    def __init__(self, task: Task):
        self.identifiers = list(range(len(task.train)))
        self.cases = [self._case(task, pair) for pair in task.train]

    def _case(self, task: Task, pair):
        image = np.moveaxis(read_image(pair.image, task.channels), 2, 0).astype(np.float32)
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (task.mean, task.std))
        image, labels = (image - mean) / std, read_labels(pair.labels).astype(np.int16)
        if task.size:
            tensor = torch.from_numpy(image)[None]
            image = F.interpolate(tensor, task.size, mode="bilinear", antialias=True)[0].numpy()
            labels = F.interpolate(torch.from_numpy(labels)[None, None].float(), task.size)[0, 0].short().numpy()
        labels[labels == VOID] = task.classes  # its ignore label is the one after the last class
        rng, places = np.random.default_rng(0), {}
        for k in range(1, task.classes):
            found = np.argwhere(labels[None, None] == k)
            places[k] = found[rng.permutation(len(found))[:1000]]
        return image[:, None], labels[None, None], None, {"class_locations": places}

    def load_case(self, i: int):
        """As its datasets do."""
        return self.cases[i]

    def __len__(self) -> int:
        return len(self.cases)


class Peer:
    """Widths that double from 16, as the plain network's do."""

    def __init__(self, base: int = 16):
        self.base = base

    def steps(self, task: Task, network: nn.Module | None = None, workers: int = 0) -> Iterator[None]:
        """Steps of training with the given network, or its own."""
        del network, workers  # its own network; its loader works beside the step on a GPU only where it has processes
        stages = 5
        self.network = network = PlainConvUNet(
            task.channels, stages, [self.base * 2**i for i in range(stages)], nn.Conv2d, 3, [1] + [2] * (stages - 1), 2,
            task.classes, 2, conv_bias=True, norm_op=nn.InstanceNorm2d, norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU, nonlin_kwargs={"inplace": True}, deep_supervision=True,
        )  # fmt: skip
        network.apply(network.initialize)
        network = onto(task, network)
        ignored = task.classes
        dice = {"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}
        scales = [[0.5**i] * 2 for i in range(stages - 1)]
        weights = np.array([0.5**i for i in range(stages - 1)])
        weights[-1] = 0
        loss = DeepSupervisionWrapper(
            DC_and_CE_loss(dice, {}, ignore_label=ignored, dice_class=MemoryEfficientSoftDiceLoss),
            weights / weights.sum(),
        )
        turn = np.deg2rad(task.turn)
        augmentation = nnUNetTrainer.get_training_transforms(
            task.crop, (-turn, turn), scales, (1,) if task.upright else (0, 1), False, ignore_label=ignored
        )
        manager = SimpleNamespace(all_labels=list(range(task.classes)), has_ignore_label=False)
        data = nnUNetDataLoader(
            Memory(task), task.batch, task.crop, task.crop, manager, oversample_foreground_percent=0.33,
            transforms=augmentation,
        )  # fmt: skip
        self.optimizer = torch.optim.SGD(network.parameters(), 1e-2, weight_decay=3e-5, momentum=0.99, nesterov=True)
        # The trainer's own step, of an object that has what it reads.
        trainer = SimpleNamespace(
            device=torch.device(task.device),
            network=network,
            loss=loss,
            optimizer=self.optimizer,
            grad_scaler=torch.amp.GradScaler("cuda") if task.device != "cpu" else None,
        )
        while True:
            nnUNetTrainer.train_step(trainer, data.generate_train_batch())
            yield

    def train(self, task: Task, seconds: float):
        """Train for so long; labels of an image by path."""
        started = time.monotonic()
        np.random.seed(task.seed)
        steps = self.steps(task)
        next(steps)
        self.count = 1
        while (done := (time.monotonic() - started) / seconds) < 1:
            self.optimizer.param_groups[0]["lr"] = 1e-2 * (1 - done) ** 0.9
            next(steps)
            self.count += 1
        return predictor(task, self.network, mirror=True)
