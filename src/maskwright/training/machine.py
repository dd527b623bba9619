"""What a training stands on: the device, its threads, and the batches that are read beside it."""

import contextlib
import warnings
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from maskwright.data.dataset import Batch, Crops
from maskwright.devices import DeviceSettings
from maskwright.errors import MaskwrightError
from maskwright.training.signals import leave_it_to_the_parent


def fabric_for(device: DeviceSettings) -> Fabric:
    """The device and the precision that are set."""
    return Fabric(
        accelerator=device.accelerator,
        devices=1 if device.accelerator in {"cpu", "mps"} else [device.index],
        precision=device.precision,
    )


def formatted(images: Tensor, device: DeviceSettings) -> Tensor:
    """The images in the order of memory that the device settings ask for."""
    return images.contiguous(memory_format=torch.channels_last) if device.channels_last else images


def batches(crops: Crops, first: int, workers: int, device: DeviceSettings) -> Generator[Batch, None, None]:
    """The batches from a step on, without end; closed, no worker and no shared memory of theirs is left."""
    steps = range(first, 2**62)
    if not workers:
        yield from (crops[step] for step in steps)
        return
    with warnings.catch_warnings():
        # More workers than cores were asked for, or are wanted where reading waits for a network disk.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader = DataLoader(
            _Told(crops), batch_size=None, sampler=steps, num_workers=workers, prefetch_factor=4,
            pin_memory=device.accelerator == "cuda", worker_init_fn=leave_it_to_the_parent,
        )  # fmt: skip
        iterator: Any = iter(loader)
    try:
        for batch in iterator:
            if isinstance(batch, _Failed):
                raise batch.error
            yield batch
    finally:
        # The traceback of an error keeps the iterator, and so its workers, alive for as long as the error is shown.
        iterator._shutdown_workers()


@dataclass(frozen=True)
class _Failed:
    """What a worker sends in place of a batch."""

    error: MaskwrightError


class _Told(Dataset[Batch | _Failed]):
    """Crops for a worker. An error of ours reaches the training as it is, without a traceback in its text."""

    def __init__(self, crops: Crops):
        self.crops = crops

    def __getitem__(self, step: int) -> Batch | _Failed:
        try:
            return self.crops[step]
        except MaskwrightError as error:
            return _Failed(error)


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """So many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
