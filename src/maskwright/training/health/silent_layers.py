"""Layers that learn nothing."""

from collections.abc import Iterator, Mapping
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen

LOOKS: Final = 5
"""Looks in a row, ten steps apart: a gradient that is exactly 0 now and then is the luck of a batch."""


class SilentLayers:
    """Kernels whose gradient is exactly 0 for fifty steps: the units behind them give 0 whatever comes (dead ReLUs), or
    nothing leads from them to the loss. Where it is all of them, the loss does not ask for anything.
    """

    moments: frozenset[Moment] = frozenset({"steps"})
    tells: Mapping[str, str] = {
        "layers-dead": f"kernels have a gradient of exactly 0 at {LOOKS} looks in a row, ten steps apart",
        "nothing-to-learn": "the same of all kernels: every pixel is ignored, or the loss cannot fall any more",
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        windows = seen.windows[-LOOKS:]
        if len(windows) < LOOKS or not windows[-1].kernels:
            return
        idle = set(windows[0].idle).intersection(*(window.idle for window in windows[1:]))
        if not idle:
            return
        if len(idle) == windows[-1].kernels:
            yield Finding(
                code="nothing-to-learn",
                severity="warning",
                title=f"No gradient reaches a kernel since step {windows[0].step}; the loss is {windows[-1].loss:.3g}",
                why="Every pixel of the crops is ignored, the first layers give 0 for every image, or the output "
                "has run into a corner where the loss is flat.",
                remedy=f"Look at the labels: maskwright inspect DATA. If they are sound: {seen.setup.rate_times(0.2)}",
            )
        else:
            names = sorted(idle)
            yield Finding(
                code="layers-dead",
                severity="warning",
                title=f"{len(idle)} of {windows[-1].kernels} kernels learn nothing since step {windows[0].step}: "
                f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}",
                why="What follows them is 0 for every image, as of ReLUs pushed too far below 0: that part of the "
                "network is lost.",
                remedy=f"Learn more slowly, or take an activation that does not die: {seen.setup.rate_times(0.2)} or "
                "model.activation=leaky_relu",
                strength=float(len(idle)),
            )


causes.register("silent-layers")(SilentLayers())
