"""What a step of a plan costs: measured by whoever can, or else estimated from its multiply-adds."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from maskwright.model.cost import cost
from maskwright.records import Record

if TYPE_CHECKING:
    from maskwright.plan.record import Plan

CPU_RATE, GPU_RATE = 12e9, 8e12
"""Multiply-adds a second of a training step, forward and backward: of one CPU core (AVX2, 32 bit; ours reach 10 to
16 billion), and of a GPU in 16 bit (a guess on the safe side)."""
BASE_BYTES = 400 << 20
"""What Python, torch and the libraries take before anything is trained."""


class Cost(NamedTuple):
    """What a step of training costs."""

    seconds: float
    bytes: int
    """Memory at its highest, all of the process on a CPU, that of the device on a GPU."""


class Measurement(Record):
    """What was measured, or estimated where the machine is not at hand, of one candidate."""

    what: str
    seconds: float
    """A step."""
    gigabytes: float
    """10⁹ bytes at its highest."""
    estimated: bool = False

    def __str__(self) -> str:
        known = "estimated" if self.estimated else "measured"
        return f"{self.what}: {shown(self.seconds)} a step, {self.gigabytes:.2g} GB, {known}"


Measure = Callable[["Plan"], Cost]
"""Takes some real steps of a plan."""


def estimate(plan: "Plan") -> Cost:
    """What a step would cost on a machine that nobody could measure: right to a factor of two or three."""
    found = cost(plan.model, plan.sampling.crop)
    batch = plan.sampling.batch
    gpu = plan.device.accelerator != "cpu"
    rate = GPU_RATE if gpu else CPU_RATE * (plan.device.threads or 1)
    half = 0.5 if "16" in plan.device.precision else 1.0
    # Weights, gradients, their mean, the best, and one or two numbers a weight for the optimiser.
    state = 4 * 6 * found.parameters
    # What is kept for the way back is about what is made, and the widest map is made three times over at the top.
    memory = state + round(1.3 * half * batch * found.activation_bytes) + BASE_BYTES
    return Cost(3 * batch * found.multiply_adds / rate, memory)


def shown(seconds: float) -> str:
    """Seconds as a person reads them."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.3g} ms"
