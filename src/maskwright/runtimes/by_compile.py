"""PyTorch's compiler: a minute or more before the first window, for large jobs and for GPUs."""

import shutil
from typing import ClassVar, cast

import torch

from maskwright.devices import DeviceSettings
from maskwright.model import UNet
from maskwright.runtimes.by_torch import arranged, computing
from maskwright.runtimes.registry import Compute, runtimes


@runtimes.register("torch-compile")
class TorchCompile:
    """The network as torch's compiler writes it, anew for each size until it has seen two."""

    about: ClassVar = "torch.compile; takes a minute to start and a C++ compiler, or Triton on a GPU"
    accelerators: ClassVar = frozenset({"cpu", "cuda"})
    extra: ClassVar = ""
    start_seconds: ClassVar = 90.0
    saves: ClassVar = 0.1

    @staticmethod
    def is_there() -> bool:
        """Whether there is a compiler for it."""
        return any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl"))

    @staticmethod
    def prepare(network: UNet, device: DeviceSettings) -> Compute:
        """Compiled when the first images come."""
        ready = arranged(network, device)
        # `forward` pads by the images' size, which the compiler would look at again and again: only `logits` is its.
        return computing(cast("Compute", torch.compile(ready.logits)), device, network.record.dims)
