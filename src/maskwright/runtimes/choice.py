"""Which runtime computes a network: the one asked for, or the fastest of those that are there, measured once.

What was measured is remembered for the next model of the same network on the same machine. A short job stays with
torch: looking for something faster would take longer than it saves.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from maskwright.devices import DeviceSettings
from maskwright.errors import SettingError
from maskwright.model import UNet
from maskwright.model.trimming import can_trim, trimmed
from maskwright.runtimes import measuring
from maskwright.runtimes.measuring import PLAIN, Job, Measured
from maskwright.runtimes.models import is_converted
from maskwright.runtimes.registry import Compute, runtimes

QUICK: Final = 10.0
"""Seconds to start that are waited for when nobody says how long the job is."""
AT_ONCE: Final = 1.0
"""Seconds to start that any image is worth."""
FEW: Final = 8
"""Windows amid an image, below which a runtime that takes longer to start computes all windows alike."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network, ready to compute: images B C h w that fit it → logits B K h' w', as `UNet.logits`."""

    name: str
    """The runtime's."""
    network: UNet
    device: DeviceSettings
    compute: Compute
    reason: str
    """Why this one, with what was measured; one line."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By runtime, for one batch of windows; empty where nothing was measured."""
    _insides: dict[int, Compute] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, images: Tensor) -> Tensor:
        """The logits."""
        return self.compute(images)

    def inside(self, margin: int, windows: int) -> Compute | None:
        """What computes the logits without `margin` pixels on each side, in less time; made when it is first asked for.
        None where the network has no such inside, or making it ready takes longer than it saves.

        margin: as `model.trimming.trimmed` takes it. windows: how many of one image can do with it.
        """
        runtime = runtimes[self.name]
        if not can_trim(self.network.record) or runtime.start_seconds > QUICK:
            return None
        if windows < FEW and runtime.start_seconds > AT_ONCE:
            return None
        with self._lock:
            if margin not in self._insides:
                self._insides[margin] = runtime.prepare(trimmed(self.network, margin), self.device)
            return self._insides[margin]


def prepare(
    name: str,
    network: UNet,
    *,
    device: DeviceSettings,
    window: Sequence[int] | None = None,
    batch: int = 1,
    work: int | None = None,
) -> Prepared:
    """The network ready in the runtime of that name; auto: in the one that will be done first.

    network: as it predicts, in evaluation mode; it is not changed.
    window, batch: what will go through it at once; None: 512 pixels a side, 64 in three dimensions.
    work: windows that will go through it in all; None: so many that only their speed counts.

    Raises:
        SettingError: there is no such runtime, its package is not installed (says how it is), it does not work on
            this device, or it cannot compute this network.
    """
    if name != "auto":
        return _asked_for(name, network, device)
    rivals = _rivals(device)
    if not rivals:
        return Prepared(
            PLAIN,
            network,
            device,
            runtimes[PLAIN].prepare(network, device),
            f"no other runtime is here for {device.name}",
        )
    sides = tuple(window or ((512, 512) if network.record.dims == 2 else (64, 64, 64)))
    return _fastest(Job(network, device, sides, batch), rivals, None if work is None else -(-work // batch))


def pick(measured: Measured, batches: int | None, *, is_converted: bool) -> str:
    """The runtime that is done first with so many batches, the wait before the first included; None: the fastest."""

    def until_done(name: str) -> float:
        if batches is None:
            return measured.seconds[name]
        wait = 0.0 if name == PLAIN else measured.start[name] - (measured.conversion if is_converted else 0.0)
        return max(0.0, wait) + batches * measured.seconds[name]

    return min(sorted(measured.seconds), key=until_done)


def _asked_for(name: str, network: UNet, device: DeviceSettings) -> Prepared:
    runtime = runtimes[name]
    if device.accelerator not in runtime.accelerators:
        raise SettingError(
            f"The runtime {name} works on {', '.join(sorted(runtime.accelerators))}, not on {device.name}. "
            "Use --runtime torch, or --device cpu."
        )
    if not runtime.is_there():
        how = f'pip install "maskwright[{runtime.extra}]"' if runtime.extra else runtime.about
        raise SettingError(f"The runtime {name} is not there, or too old: {how}. Or use --runtime auto.")
    return Prepared(name, network, device, runtime.prepare(network, device), "asked for")


def _rivals(device: DeviceSettings) -> list[str]:
    """Those that torch is measured against; one that takes a minute to start only where there is no other."""
    there = [
        name
        for name, runtime in runtimes.items()
        if name != PLAIN and device.accelerator in runtime.accelerators and runtime.is_there()
    ]
    return [name for name in there if runtimes[name].start_seconds <= QUICK] or there


def _fastest(job: Job, rivals: list[str], batches: int | None) -> Prepared:
    measured = measuring.recall(job, rivals)
    ready: dict[str, Compute] = {}
    if measured is None:
        ready[PLAIN] = runtimes[PLAIN].prepare(job.network, job.device)
        worth, refusal = _worth_trying(rivals, measuring.estimate(job, ready[PLAIN]), batches)
        if not worth:
            return Prepared(PLAIN, job.network, job.device, ready[PLAIN], refusal)
        measured, computes = measuring.measure(job, ready[PLAIN], worth)
        ready |= computes
        measuring.keep(job, rivals, measured)
        said = "measured now"
    else:
        said = "remembered"
    name = pick(measured, batches, is_converted=is_converted(job.network))
    if name not in ready:
        compute, fault = measuring.checked(name, job)
        if fault:
            return Prepared(
                PLAIN,
                job.network,
                job.device,
                compute,
                f"{name} was the fastest here, but is left out: {fault}",
                measured.seconds,
            )
        ready[name] = compute
    return Prepared(name, job.network, job.device, ready[name], _told(measured, name, batches, said), measured.seconds)


def _worth_trying(rivals: list[str], seconds: float, batches: int | None) -> tuple[list[str], str]:
    """Those that can save more than they take to start and to be measured, and what is said if there is none."""
    if batches is None:
        quick = [name for name in rivals if runtimes[name].start_seconds <= QUICK]
        return quick, f"{', '.join(rivals)} takes too long to start for a job of unknown length"
    whole = seconds * batches
    worth = [name for name in rivals if whole * runtimes[name].saves > _price(rivals, seconds)]
    return worth, f"the whole job takes torch about {whole:.2g} s, less than others take to start"


def _price(rivals: list[str], seconds: float) -> float:
    trying = sum(runtimes[name].start_seconds for name in rivals)
    return trying + min(measuring.LONGEST, (len(rivals) + 1) * measuring.ROUNDS * seconds)


def _told(measured: Measured, name: str, batches: int | None, said: str) -> str:
    times = [f"{one} {seconds:.3g} s" for one, seconds in sorted(measured.seconds.items(), key=lambda item: item[1])]
    why = (
        "the fastest here"
        if name == min(measured.seconds, key=measured.seconds.__getitem__)
        else (f"done first with {batches} batches, as others take longer to start")
    )
    left_out = "".join(f"; {one} left out: {fault}" for one, fault in sorted(measured.refused.items()))
    return f"{why} (a batch: {', '.join(times)}; {said}{left_out})"
