"""Up the ladder: the dearest network that time and memory allow, found with few measurements."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from maskwright.errors import SettingError
from maskwright.plan.costs import Cost, Measure, Measurement, estimate
from maskwright.plan.record import Plan

SMALLEST_CROP = 64
"""Pixels a side below which crops are not made smaller to save memory."""


class Candidate(NamedTuple):
    """A plan that could be followed."""

    name: str
    plan: Plan
    needed: int
    """Steps that it must be able to take."""


class Room(NamedTuple):
    """What a training may use up."""

    seconds: float
    """For all steps."""
    steps: int | None = None
    """How many there are; None: as many as fit into the seconds."""
    bytes: float = math.inf

    def steps_of(self, cost: Cost) -> int:
        """Steps that a training would take."""
        fitting = int(self.seconds / cost.seconds)
        return fitting if self.steps is None else min(self.steps, fitting)


@dataclass
class Climb:
    """What a search has measured so far. `factor` is how much dearer steps are than estimated."""

    room: Room
    measure: Measure
    estimated: bool
    factor: float = 1.0
    costs: dict[str, Cost] = field(default_factory=dict)

    def cost(self, name: str, plan: Plan) -> Cost:
        """The cost of a plan, measured once."""
        if name not in self.costs:
            self.costs[name] = self.measure(plan)
            self.factor = self.costs[name].seconds / estimate(plan).seconds
        return self.costs[name]

    def _expected(self, one: Candidate) -> Cost:
        guessed = estimate(one.plan)
        return self.costs.get(one.name) or Cost(guessed.seconds * self.factor, 0)

    def _allowed(self, one: Candidate, cost: Cost) -> bool:
        return self.room.steps_of(cost) >= one.needed and cost.bytes <= self.room.bytes

    def highest(self, candidates: Sequence[Candidate]) -> Candidate:
        """The dearest candidate that the room allows; the cheapest if it allows none.

        Only a few are measured: the cheapest says how far the estimates are off, and then those around the place where
        they point to.
        """
        cheapest, top = candidates[0], len(candidates) - 1
        self.cost(cheapest.name, cheapest.plan)
        place = max((i for i, one in enumerate(candidates) if self._allowed(one, self._expected(one))), default=0)
        while place and not self._allowed(candidates[place], self.cost(candidates[place].name, candidates[place].plan)):
            place -= 1
        while place < top and candidates[place + 1].name not in self.costs:
            above = candidates[place + 1]
            if not (
                self._allowed(above, self._expected(above)) and self._allowed(above, self.cost(above.name, above.plan))
            ):
                break
            place += 1
        return candidates[place]

    def within_memory(self, one: Candidate) -> Candidate:
        """The candidate, its batch and then its crop halved until it fits.

        Raises:
            SettingError: the smallest does not.
        """
        while (cost := self.cost(one.name, one.plan)).bytes > self.room.bytes:
            smaller = _halved(one.plan)
            if smaller is None:
                raise SettingError(
                    f"Training takes at least {cost.bytes / 1e9:.2g} GB ({one.name}), and {self.room.bytes / 1e9:.2g} "
                    "GB were allowed. Allow more with --memory, or make the network smaller, e.g. model.base=8."
                )
            crop, batch = smaller.sampling.crop, smaller.sampling.batch
            one = Candidate(f"{one.name.partition(', crops')[0]}, crops {batch} × {crop[0]}×{crop[1]}", smaller, 0)
        return one

    def measurements(self) -> tuple[Measurement, ...]:
        """All that was measured, as the plan keeps it."""
        return tuple(
            Measurement(
                what=name,
                seconds=float(f"{cost.seconds:.3g}"),
                gigabytes=float(f"{cost.bytes / 1e9:.3g}"),
                estimated=self.estimated,
            )
            for name, cost in self.costs.items()
        )


def _halved(plan: Plan) -> Plan | None:
    """The plan with half the batch, at least 2, or else with crops of half the size; None: they are small enough."""
    sampling = plan.sampling
    if sampling.batch > 2:
        return plan.with_settings({"sampling.batch": max(2, sampling.batch // 2)})
    stride = plan.model.stride
    half = [max(stride, side // 2 // stride * stride) for side in sampling.crop]
    if min(half) < SMALLEST_CROP or plan.model.padding == "valid":
        return None
    return plan.with_settings({"sampling.crop": half, "sampling.crops_per_image": 4 * sampling.crops_per_image})
