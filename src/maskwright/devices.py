"""Where the arithmetic happens: device and precision, and how many CPU threads work on it."""

import math
import os
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from pydantic import Field
from torch import nn

from maskwright.errors import SettingError
from maskwright.records import Record

CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of CPU a container gets, and in how many."""


class DeviceSettings(Record):
    """The device and the number format on it."""

    name: str = "cpu"
    """cpu, cuda, cuda:1, mps."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """mixed: convolutions in 16 bit, weights and losses in 32."""
    channels_last: bool = False
    """Whether images lie in memory pixel by pixel rather than channel by channel."""
    threads: int | None = Field(None, ge=1)
    """CPU threads; they add in their own order, so a resumed run needs as many. None: as many as torch chooses."""

    workers: int | None = Field(None, ge=0)
    """Processes that read crops beside the training; 0: it reads them itself. The result is the same with any number.
    None: none beside a CPU, else one a core but one, 8 at most."""

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
    kind, colon, index = name.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in present or (colon and not (index.isdecimal() and int(index) < count)):
        raise SettingError(f"There is no device {name!r} on this machine. There is: {', '.join(present)}.")
    if name.startswith("cuda"):
        half = "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
        return DeviceSettings(name=name, precision=half, channels_last=True)
    # torch counts the machine's cores, `cores` those of the container; OMP_NUM_THREADS lowers the first.
    return DeviceSettings(name=name, threads=min(cores(), torch.get_num_threads()) if kind == "cpu" else None)


def lay_channels_last(network: nn.Module) -> None:
    """Let the network's kernels lie in memory as images that are stored pixel by pixel want them."""
    cast("Any", network).to(memory_format=torch.channels_last)  # torch's stubs disagree from version to version


def available() -> list[str]:
    """Kinds of device on this machine, the fastest first."""
    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def cores() -> int:
    """CPU cores this process may use, at least 1: those it is bound to, and no more than its container is given."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text("ascii").split()
        bound = min(bound, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no such file outside Linux; "max" where there is no limit
        pass
    return max(1, bound)
