"""Where the arithmetic happens: device and precision, and how many CPU threads work on it."""

import os
from typing import Literal

import torch

from maskwright.errors import SettingError
from maskwright.records import Record


class DeviceSettings(Record):
    """The device and the number format on it."""

    name: str = "cpu"
    """cpu, cuda, cuda:1, mps."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """mixed: convolutions in 16 bit, weights and losses in 32."""
    channels_last: bool = False
    """Whether images lie in memory pixel by pixel rather than channel by channel."""

    @property
    def accelerator(self) -> str:
        """The device's kind, as Fabric calls it."""
        return self.name.split(":")[0]

    @property
    def index(self) -> int:
        """The device's number among its kind."""
        return int(self.name.split(":")[1]) if ":" in self.name else 0


def choose(name: str = "auto") -> DeviceSettings:
    """The device of that name with the format that suits it; auto: the first of CUDA, Apple's MPS, CPU that is there.

    Raises:
        SettingError: there is no such device here; says which there are.
    """
    present = available()
    name = present[0] if name == "auto" else name
    if name not in present and name.split(":")[0] not in present:
        raise SettingError(f"There is no device {name!r} on this machine. There is: {', '.join(present)}.")
    if name.startswith("cuda"):
        half = "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
        return DeviceSettings(name=name, precision=half, channels_last=True)
    return DeviceSettings(name=name)


def available() -> list[str]:
    """Kinds of device on this machine, the fastest first."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def cores() -> int:
    """CPU cores this process may use (a container's limit included), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
