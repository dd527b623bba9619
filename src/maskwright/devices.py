"""Where the arithmetic happens: device and precision, and how many CPU threads work on it."""

import ctypes
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

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
"""Of glibc's malloc.h: free bytes handed back from the end, and the size from which a block is mapped alone."""


class DeviceSettings(Record):
    """The device and the number format on it."""

    name: str = "cpu"
    """cpu, cuda, cuda:1, mps."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """mixed: convolutions in 16 bit, weights and losses in 32."""
    channels_last: bool = False
    """Whether images lie in memory pixel by pixel rather than channel by channel."""
    compile: bool = False
    """Whether training compiles the network first. That takes a minute or so, and pays in long trainings only."""
    threads: int | None = Field(None, ge=1)
    """CPU threads of a process; they add in their own order, so a resumed run needs as many. None: as torch chooses."""
    devices: int = Field(1, ge=1)
    """Processes on each machine, each with a GPU of its own or with its share of the CPU's threads."""
    nodes: int = Field(1, ge=1)
    """Machines."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """ddp: each process has the whole network. fsdp: its share of weights, gradients and moments. auto: ddp."""

    workers: int | None = Field(None, ge=0)
    """Processes that read crops beside the training; 0: it reads them itself. The result is the same with any number.
    None: none beside a CPU, else one a core but one, 8 at most."""

    @property
    def accelerator(self) -> str:
        """The device's kind, as Fabric calls it."""
        return self.name.split(":")[0]

    @property
    def processes(self) -> int:
        """All that train together."""
        return self.devices * self.nodes

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


def elsewhere(target: Literal["cpu", "gpu"]) -> DeviceSettings:
    """The settings for a kind of device: that of this machine if it has one, or else of one that is usual."""
    if target == "cpu":
        return choose("cpu")
    here = choose()
    return (
        here if here.accelerator != "cpu" else DeviceSettings(name="cuda", precision="bf16-mixed", channels_last=True)
    )


def is_here(device: DeviceSettings) -> bool:
    """Whether this machine has such a device."""
    return device.accelerator in available()


def demand_here(device: DeviceSettings) -> None:
    """Nothing, if this machine has such a device.

    Raises:
        SettingError: it has none.
    """
    if not is_here(device):
        raise SettingError(
            f"The plan is for {device.name}, and this machine has only: {', '.join(available())}. Run it where there "
            "is one, or with --device cpu."
        )


def spread(device: DeviceSettings, devices: int, nodes: int = 1, strategy: str | None = None) -> DeviceSettings:
    """The same for so many processes on so many machines; the CPU threads that one had are divided among them.

    Raises:
        SettingError: there are not so many devices, or they cannot work together.
    """
    if devices * nodes > 1 and ":" in device.name:
        raise SettingError(
            f"Several devices are the first so many: say --device {device.accelerator}, not {device.name}, and choose "
            "others by CUDA_VISIBLE_DEVICES."
        )
    if devices * nodes > 1 and device.accelerator not in {"cpu", "cuda"}:
        raise SettingError(f"Several processes work together on cpu or cuda, not on {device.accelerator}.")
    if device.accelerator == "cuda" and devices > (there := torch.cuda.device_count()):
        raise SettingError(f"{devices} devices are asked for, and this machine has {there} GPUs: --devices {there}")
    threads = device.threads and max(1, device.threads * device.devices // devices)
    given = {"devices": devices, "nodes": nodes, "threads": threads, "strategy": strategy or device.strategy}
    return DeviceSettings.read({**device.plain(), **given}, "the devices")


def lay_channels_last(network: nn.Module) -> None:
    """Let the network's kernels lie in memory as images that are stored pixel by pixel want them."""
    cast("Any", network).to(memory_format=torch.channels_last)  # torch's stubs disagree from version to version


def keep_memory() -> bool:
    """Let this process keep memory that it has freed for what it needs next; whether that could be had.

    glibc hands large blocks back at once and gets them anew, emptied page by page, for every map of every step: 15,000
    to 60,000 page faults each, 5 to 10 % of its time (EXPERIMENTS.md). Elsewhere nothing happens.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # not glibc
        return False
    # Some versions of glibc allow no more than 32 MiB.
    mapped = any(mallopt(M_MMAP_THRESHOLD, most) for most in (2**30, 2**25))
    return bool(mapped and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


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
