"""What a training stands on: the device, its threads, the batches that are read beside it, and Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from maskwright.data.dataset import Batch, Crops
from maskwright.devices import DeviceSettings, keep_memory, lay_channels_last


def fabric_for(device: DeviceSettings) -> Fabric:
    """The device and the precision that are set."""
    return Fabric(
        accelerator=device.accelerator,
        devices=1 if device.accelerator in {"cpu", "mps"} else [device.index],
        precision=device.precision,
    )


def arrange(network: nn.Module, device: DeviceSettings) -> None:
    """Let the network work as the device settings ask for. Its weights and their names stay what they are."""
    if device.accelerator == "cpu":
        keep_memory()
    if device.channels_last:
        lay_channels_last(network)
    if device.compile:
        # In place, unlike `torch.compile(network)`, which would rename the weights.
        network.compile(dynamic=False)


def formatted(images: Tensor, device: DeviceSettings) -> Tensor:
    """The images in the order of memory that the device settings ask for."""
    return images.contiguous(memory_format=torch.channels_last) if device.channels_last else images


def batches(crops: Crops, first: int, workers: int, device: DeviceSettings) -> Iterator[Batch]:
    """The batches from a step on, without end."""
    steps = range(first, 2**62)
    if not workers:
        return (crops[step] for step in steps)
    pinned = device.accelerator == "cuda"
    return iter(
        DataLoader(crops, batch_size=None, sampler=steps, num_workers=workers, pin_memory=pinned, prefetch_factor=4)
    )


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """So many CPU threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C is an ordinary one. Signals reach the main thread alone."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
