"""From the fingerprint and what is wished to the plan."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from maskwright.data.fingerprint import Fingerprint
from maskwright.devices import DeviceSettings
from maskwright.plan import rules
from maskwright.plan.climbing import Candidate, Climb, Room
from maskwright.plan.costs import Measure, estimate, shown
from maskwright.plan.fitting import with_outputs
from maskwright.plan.ladder import Ladder, Rung, ladder
from maskwright.plan.record import Plan, objects_asked
from maskwright.settings import Budget, TrainingSettings

PRESUMED_MINUTES = 30.0
"""For which a network is chosen where no minutes were stated."""
LEARNING = 0.8
"""Share of the minutes that steps have; reading, validating and writing take the rest."""


class Wanted(NamedTuple):
    """What a person states."""

    budget: Budget | None
    memory: float | None
    device: DeviceSettings
    seed: int
    wishes: Mapping[str, Any]


def decide(
    fingerprint: Fingerprint,
    *,
    budget: Budget | None = None,
    memory: float | None = None,
    device: DeviceSettings | None = None,
    seed: int = 0,
    wishes: Mapping[str, Any] | None = None,
    measure: Measure | None = None,
) -> Plan:
    """The plan for a data set.

    memory: gigabytes (10⁹ bytes) that training may take; None: no limit.
    wishes: settings by dotted key that the user fixed, e.g. {"model.depth": 3}.
    measure: takes real steps of a plan on the machine that will train it; None: their cost is estimated.

    Raises:
        SettingError: a wish names no setting (says the nearest) or its value does not fit, or the memory is too small.
    """
    wanted = Wanted(budget, memory, device or DeviceSettings(), seed, wishes or {})
    steps = ladder(fingerprint)
    candidates = _different([Candidate(str(r), _draft(fingerprint, steps, r, wanted), r.steps) for r in steps.rungs])
    cheapest = candidates[0].plan
    fixed = {cheapest.full_key(key) for key in wanted.wishes}
    order_is_open = cheapest.device.accelerator == "cpu" and "device.channels_last" not in fixed
    if len(candidates) == 1 and not order_is_open and memory is None:
        return cheapest
    climb = Climb(_room(fingerprint, cheapest, memory), measure or estimate, estimated=measure is None)
    chosen = climb.within_memory(climb.highest(candidates))
    plan, order = chosen.plan, ""
    if order_is_open and measure is not None:
        plan, order = _faster_order(climb, chosen)
    return plan.model_copy(
        update={
            "reasons": {**plan.reasons, **_because(climb, chosen, candidates, steps, fixed), **_order(order)},
            "measured": climb.measurements(),
        }
    )


def _draft(f: Fingerprint, steps: Ladder, rung: Rung, wanted: Wanted) -> Plan:
    """The plan with the network of a rung, and with all that is wished."""
    device = wanted.device
    reasons: dict[str, str] = {"preprocess.scale": steps.grid, "model": ""}

    def take(key: str, why: rules.Why) -> Any:
        reasons[key] = why.reason
        return why.value

    objects = take("objects", rules.objects(f.objects)) if f.objects else None
    objects = objects_asked(objects, wanted.wishes)
    learned = objects.learned if objects else None
    network = rung.network(f)
    if learned:
        network = network.model_copy(update={"classes": network.classes + 1})
    sampling = take("sampling", rules.sampling(f, rung.scale, network, device, learned))
    budget = take("training.budget", rules.Why(wanted.budget, "as asked for") if wanted.budget else rules.budget(f))
    draft = Plan(
        seed=wanted.seed,
        preprocess=take("preprocess", rules.preprocess(f, rung.scale)),
        model=network,
        sampling=sampling,
        augment=take("augment", rules.augment(f)),
        loss=take("loss", rules.loss(f, learned)),
        training=TrainingSettings(
            budget=budget,
            optimizer=take("training.optimizer", rules.optimizer()),
            schedule=take("training.schedule", rules.schedule()),
            validation=take("training.validation", rules.validation(budget, rules.steps_per_epoch(f, sampling))),
        ),
        tiles=take("tiles", rules.tiles(device, network)),
        objects=objects,
        device=take("device", rules.memory_format(device, network)),
        reasons=reasons,
    )
    plan = with_outputs(draft.with_wishes(wanted.wishes), draft)
    if plan.training.budget != budget:  # how often to validate hangs on it
        return _draft(f, steps, rung, wanted._replace(budget=plan.training.budget))
    if plan.model == draft.model and plan.preprocess == draft.preprocess:
        return plan
    # What was wished of network and size changes which crops and windows suit; wishes for these themselves come last.
    fitting = {
        "sampling": rules.sampling(f, plan.preprocess.scale, plan.model, device, learned).value,
        "tiles": rules.tiles(device, plan.model).value,
    }
    return with_outputs(draft.model_copy(update=fitting).with_wishes(wanted.wishes), draft)


def _different(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates that differ in more than their name, once the wishes are in them."""

    def what(plan: Plan) -> tuple[Any, ...]:
        model = plan.model.model_copy(update={"base": 0, "max_width": 0})
        return plan.preprocess, plan.sampling, model, tuple(plan.model.level_widths)

    seen: list[Candidate] = []
    for one in candidates:
        if all(what(one.plan) != what(other.plan) for other in seen):
            seen.append(one)
    return seen


def _room(f: Fingerprint, plan: Plan, memory: float | None) -> Room:
    budget = plan.training.budget
    minutes = budget.minutes if budget.minutes is not None else PRESUMED_MINUTES
    steps = budget.steps
    if budget.epochs is not None:
        steps = math.ceil(budget.epochs * rules.steps_per_epoch(f, plan.sampling))
    room = Room(LEARNING * 60 * minutes, steps)
    return room if memory is None else room._replace(bytes=memory * 1e9)


def _faster_order(climb: Climb, chosen: Candidate) -> tuple[Plan, str]:
    """The plan with the order of memory in which its steps are faster, and why. Both are tried in turns, and the least
    counts: on a machine that does other things too, a single look would choose by chance.
    """
    plans = {last: chosen.plan.with_settings({"device.channels_last": last}) for last in (False, True)}
    looks = [{last: climb.measure(plan) for last, plan in plans.items()} for _ in range(2)]
    best = {last: min((look[last] for look in looks), key=lambda cost: cost.seconds) for last in plans}
    faster = best[True].seconds < best[False].seconds
    climb.costs[chosen.name] = best[faster]
    climb.costs[f"{chosen.name}, {_words(not faster)}"] = best[not faster]
    said = f"{shown(best[faster].seconds)} a step measured, {shown(best[not faster].seconds)} the other way"
    return plans[faster], f"{_words(faster)}: {said}"


def _words(channels_last: bool) -> str:
    return "pixel by pixel" if channels_last else "channel by channel"


def _order(said: str) -> dict[str, str]:
    return {"device": said} if said else {}


def _because(
    climb: Climb, chosen: Candidate, candidates: list[Candidate], steps: Ladder, fixed: set[str]
) -> dict[str, str]:
    """The reasons that follow from what was measured."""
    known = "estimated" if climb.estimated else "measured"
    cost = climb.costs[chosen.name]
    plan = chosen.plan
    seen = min(plan.sampling.crop) / plan.model.stride
    said = [
        f"{chosen.name}: {shown(cost.seconds)} a step {known}, about {climb.room.steps_of(cost):,} steps in the time"
    ]
    names = [one.name for one in candidates]
    place = names.index(chosen.name) if chosen.name in names else len(names)
    if place + 1 < len(candidates):
        above = candidates[place + 1]
        said.append(f"{above.name} would pay from {above.needed:,} steps on")
    said.append(f"depth {plan.model.depth}: of a crop the bottleneck sees {seen:.0f} pixels a side")
    reasons = {"model": "; ".join(said)}
    if climb.room.bytes < float("inf"):
        reasons["sampling"] = (
            f"{plan.reasons['sampling']}; {cost.bytes / 1e9:.2g} GB {known}, {climb.room.bytes / 1e9:.2g} allowed"
        )
    return {key: reason for key, reason in reasons.items() if key not in fixed}
