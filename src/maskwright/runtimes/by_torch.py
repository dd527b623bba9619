"""PyTorch itself: batch norms folded, pixel by pixel in memory, on CPUs convolution and activation in one pass."""

import contextlib
from typing import ClassVar

import torch
from torch import Tensor

from maskwright.devices import DeviceSettings, lay_channels_last
from maskwright.model import UNet
from maskwright.runtimes.folding import folded
from maskwright.runtimes.fusing import fused
from maskwright.runtimes.registry import Compute, runtimes

FORMATS = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@runtimes.register("torch")
class Torch:
    """The network as torch computes it."""

    about: ClassVar = "PyTorch, batch norms folded, channels_last; always there, on every device"
    accelerators: ClassVar = frozenset({"cpu", "cuda", "mps"})
    extra: ClassVar = ""
    start_seconds: ClassVar = 0.1
    saves: ClassVar = 0.0

    @staticmethod
    def is_there() -> bool:
        """Always."""
        return True

    @staticmethod
    def prepare(network: UNet, device: DeviceSettings) -> Compute:
        """A folded copy; on other devices than the CPU in 16 bit where the device's precision says so."""
        ready = arranged(network, device)
        if device.accelerator == "cpu" and device.precision == "32-true":
            ready = fused(ready)
        return computing(ready.logits, device, network.record.dims)


def arranged(network: UNet, device: DeviceSettings) -> UNet:
    """A folded copy on the device, laid out as is fastest there."""
    ready = folded(network).to(device.name)
    if network.record.dims == 2:
        lay_channels_last(ready)
    return ready


def computing(logits: Compute, device: DeviceSettings, dims: int) -> Compute:
    """The same without gradients, in the device's layout and precision."""
    form = FORMATS.get(device.precision)
    layout = torch.channels_last if dims == 2 else torch.contiguous_format

    def compute(images: Tensor) -> Tensor:
        half = torch.autocast(device.accelerator, form) if form else contextlib.nullcontext()
        with torch.inference_mode(), half:
            return logits(images.to(device.name).contiguous(memory_format=layout)).float()

    return compute
