"""How fast each runtime computes a network here, and whether it says what torch says; remembered.

What is remembered lies in the user's cache folder in `runtimes/`, a small file for each network, machine, window and
set of package versions. It may be deleted at any time; one that is damaged or cannot be written is no error.
"""

import copy
import json
import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from maskwright._version import __version__
from maskwright.devices import DeviceSettings
from maskwright.errors import SettingError
from maskwright.files import hashed
from maskwright.model import UNet, UNetRecord
from maskwright.model.sizes import fitting_input, output_size
from maskwright.records import Record
from maskwright.runtimes.folding import example_shape
from maskwright.runtimes.models import converted, folder, is_converted
from maskwright.runtimes.packages import version_of
from maskwright.runtimes.registry import Compute, ReadsOnnx, runtimes

PLAIN: Final = "torch"
"""The runtime that is always there, and that the others are compared with."""
TOLERANCE: Final = 1e-3
"""Of the logits' size, by which a runtime may differ from the network: as much as a model file may from itself."""
ONE: Final = 0.4
"""Seconds that torch may take for what is measured; of larger windows a part is measured."""
ROUNDS: Final = 4
"""Times each runtime computes: the first warms up, the quickest of the others counts."""
LONGEST: Final = 6.0
"""Seconds after which no further round begins."""


@dataclass(frozen=True)
class Job:
    """A network and what will go through it."""

    network: UNet
    device: DeviceSettings
    window: tuple[int, ...]
    batch: int

    def images(self, share: float = 1.0) -> Tensor:
        """A batch of noise, as normalised images are: windows whose sides are that share of the job's."""
        sides = [fitting(self.network.record, round(side * share)) for side in self.window]
        shape = (self.batch, self.network.record.in_channels, *sides)
        return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(self.device.name)


class Measured(Record):
    """What was measured of a job."""

    seconds: dict[str, float]
    """By runtime: for one batch of windows."""
    start: dict[str, float] = {}
    """By runtime other than torch: until it is ready, conversion included."""
    conversion: float = 0.0
    """Of that, the seconds to write the network as ONNX: none if that was done before."""
    refused: dict[str, str] = {}
    """By runtime: why it is left out."""


def fitting(record: UNetRecord, size: int) -> int:
    """The largest size of images up to this one that fits the network, or the smallest that fits."""
    smallest = fitting_input(record, 1)
    return next((n for n in range(size, smallest, -1) if output_size(record, n) is not None), smallest)


def estimate(job: Job, compute: Compute) -> float:
    """Seconds for a batch of windows, from a sixteenth of it."""
    images = job.images(1 / 4)
    compute(images)
    return _timed(compute, images) * job.images().numel() / images.numel()


def measure(job: Job, plain: Compute, rivals: Sequence[str]) -> tuple[Measured, dict[str, Compute]]:
    """What was measured, and the runtimes that are not refused, ready.

    In turns, so that what else the machine does meets all alike; the quickest of a few times counts.
    """
    started, refused, conversion = {}, {}, 0.0
    ready = {PLAIN: plain}
    if not is_converted(job.network) and any(isinstance(runtimes[name], ReadsOnnx) for name in rivals):
        before = time.perf_counter()
        with suppress(SettingError):  # each of them says so below
            converted(job.network)
        conversion = time.perf_counter() - before
    for name in rivals:
        before = time.perf_counter()
        compute, fault = checked(name, job)
        started[name] = time.perf_counter() - before + (conversion if isinstance(runtimes[name], ReadsOnnx) else 0.0)
        if fault:
            refused[name] = fault
        else:
            ready[name] = compute
    images = job.images(_share(estimate(job, plain)))
    whole = job.images().numel() / images.numel()
    best = {name: seconds * whole for name, seconds in race(ready, images).items()}
    left = {name: seconds for name, seconds in started.items() if name not in refused}
    return Measured(seconds=best, start=left, conversion=conversion, refused=refused), ready


def race(ready: dict[str, Compute], images: Tensor) -> dict[str, float]:
    """The quickest of a few times that each takes for these images, in turns."""
    best = dict.fromkeys(ready, float("inf"))
    for compute in ready.values():
        compute(images)
    begun = time.perf_counter()
    for round_ in range(ROUNDS - 1):
        if round_ and time.perf_counter() - begun > LONGEST:
            break
        for name, compute in ready.items():
            best[name] = min(best[name], _timed(compute, images))
    return best


def checked(name: str, job: Job) -> tuple[Compute, str]:
    """The runtime's network and an empty text, if it says what the network says; else torch's, and what is wrong."""
    images = torch.randn(example_shape(job.network, 1, 1), generator=torch.Generator().manual_seed(1))
    network = job.network if not job.network.training else copy.deepcopy(job.network).eval()
    with torch.inference_mode():
        expected = network.logits(images.to(job.device.name)).float().cpu()
    try:
        compute = runtimes[name].prepare(job.network, job.device)
        found = compute(images).cpu()
    except Exception as error:  # each package has errors of its own; none may stop a prediction that torch can do
        return runtimes[PLAIN].prepare(job.network, job.device), str(error) or type(error).__name__
    # A mixed precision differs by design: then only what is wrong altogether counts.
    allowed = TOLERANCE if job.device.precision == "32-true" else 0.1
    if (difference := differing(found, expected)) > allowed:
        return runtimes[PLAIN].prepare(job.network, job.device), f"its logits differ by {difference:.2g} of their size"
    return compute, ""


def differing(found: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest value; infinite where shapes differ or something is no number."""
    if found.shape != expected.shape:
        return float("inf")
    difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    return difference if difference == difference else float("inf")


def recall(job: Job, rivals: Sequence[str]) -> Measured | None:
    """What was measured of such a job before."""
    try:
        measured = Measured.load(_place(job, rivals))
    except (SettingError, OSError):  # not there, or damaged
        return None
    return measured if PLAIN in measured.seconds else None


def keep(job: Job, rivals: Sequence[str], measured: Measured) -> None:
    """Remember it, where that can be."""
    with suppress(OSError):
        measured.save(_place(job, rivals))


def _place(job: Job, rivals: Sequence[str]) -> Path:
    """All that speed hangs on names the file: not the weights, so the next model of such a network starts quickly."""
    said = [
        job.network.record.plain(), job.device.plain(), torch.get_num_threads(), job.window, job.batch, list(rivals),
        __version__, [version_of(package) for package in ("torch", "onnx", "onnxruntime", "openvino")],
        platform.system(), platform.machine(), _processor(), os.cpu_count(),
    ]  # fmt: skip
    return folder() / f"{hashed(json.dumps(said).encode())}.json"


def _processor() -> str:
    """The processor's name, where the system tells it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _share(seconds: float) -> float:
    return next((share for share in (1.0, 1 / 2) if seconds * share**2 <= ONE), 1 / 4)


def _timed(compute: Compute, images: Tensor) -> float:
    _wait(images)
    before = time.perf_counter()
    compute(images)
    _wait(images)
    return time.perf_counter() - before


def _wait(images: Tensor) -> None:
    """Until the GPU is done with what it was given."""
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
