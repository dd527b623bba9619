"""Learning rates that are too high or too low.

What the numbers stand on: the planner's own networks on real sets, with the planned rate and with 100 and 1/2000 times
that (EXPERIMENTS.md, "What the health monitor goes by").
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen, Window

EXPLODED: Final = 3.0
"""Times its lowest: a loss, over ten steps, that lies above that for twenty has left what it knew."""
ABOVE: Final = 1.1
"""Times its first: a loss that lies above that for thirty steps learns nothing."""
GREW: Final = 3.0
"""Times their first length: at planned rates kernels grew by 6 % in 70 steps, at 100 times these to 50 times."""
LARGE: Final = 0.04
"""Share of their own length that kernels move in a step: 0.014 at most at planned rates, 0.05 to 0.26 at 100 times."""
LOOKS: Final = 3
"""Windows, of ten steps each."""
NEAR_TOP: Final = 4
"""Windows with at least half the schedule's top rate, before a rate is called too low."""
TINY: Final = 1e-4
"""The same share, of kernels that stand still: after a thousand steps all one way they would have moved by a
tenth."""
HARDLY: Final = 0.1
"""Share by which the loss fell: even a poor rate takes off more in the first hundred steps."""


class RateTooHigh:
    """Steps that overshoot: the loss leaves what it had reached; or each step moves the weights by a large share of
    themselves, and the loss stays above its start, or the weights grow and grow.
    """

    moments: frozenset[Moment] = frozenset({"steps"})
    tells: Mapping[str, str] = {
        "rate-too-high": f"the loss lies {EXPLODED:g} times above its lowest for twenty steps; or for {10 * LOOKS} "
        f"steps each moves the kernels by {LARGE:.0%} of themselves or more, and the loss lies above its start, or the "
        f"weights have grown {GREW:g} times"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        windows = seen.windows
        if len(windows) < LOOKS:
            return
        first, last = windows[0].loss, median([window.loss for window in windows[-LOOKS:]])
        lowest = min(window.loss for window in windows)
        moved, grown = _moved(windows[-LOOKS:]), windows[-1].weights / max(windows[0].weights, 1e-12)
        # Three times a loss of nearly nothing is nearly nothing.
        exploded = min(window.loss for window in windows[-2:]) > max(EXPLODED * lowest, lowest + 0.25 * abs(first))
        if not exploded and not (moved >= LARGE and (last > ABOVE * first or grown >= GREW)):
            return
        yield Finding(
            code="rate-too-high",
            severity="warning",
            title=f"The loss is {last:.3g} over the last {10 * LOOKS} steps, {first:.3g} at first and {lowest:.3g} at "
            f"its lowest; at a rate of {windows[-1].rate:.2g} each step moves the kernels by {moved:.1%} of "
            f"themselves, and they are {grown:.3g} times as long as at first",
            why="Steps so large overshoot: what was learnt is thrown away again.",
            remedy=f"Lower the learning rate: {seen.setup.rate_times(0.1)} or find it: --find-lr",
        )


class RateTooLow:
    """Steps so small that nothing comes of them: near the top of the rate the kernels hardly move, and the loss has
    hardly fallen.
    """

    moments: frozenset[Moment] = frozenset({"steps"})
    tells: Mapping[str, str] = {
        "rate-too-low": f"after {10 * NEAR_TOP} steps near the top of the rate each moves the kernels by less than "
        f"{TINY:.0e} of themselves, and the loss fell by less than {HARDLY:.0%}"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        top = seen.top_windows()
        if len(top) < NEAR_TOP or top[-1] is not seen.windows[-1]:
            return
        moved, first = _moved(top), seen.windows[0].loss
        fall = 1 - median([window.loss for window in top[-3:]]) / max(first, 1e-12)
        if not 0 < moved < TINY or fall >= HARDLY:
            return
        yield Finding(
            code="rate-too-low",
            severity="warning",
            title=f"The loss fell by {max(0.0, fall):.1%} in {seen.windows[-1].step} steps, from {first:.3g}; at a "
            f"rate of {top[-1].rate:.2g} each step moves the kernels by {moved:.0e} of themselves",
            why="At this pace the training ends before it has learnt anything.",
            remedy=f"Raise the learning rate: {seen.setup.rate_times(100.0)} or find it: --find-lr",
        )


def _moved(windows: Sequence[Window]) -> float:
    return median([window.moved for window in windows])


causes.register("rate-too-high")(RateTooHigh())
causes.register("rate-too-low")(RateTooLow())
