"""The plan for a folder."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from maskwright import recipes
from maskwright.api.looking import Inspection, look
from maskwright.devices import DeviceSettings, choose, demand_here, is_here
from maskwright.plan import Measure, Plan, decide, demand_fitting, follow, with_outputs
from maskwright.recipes import Recipe
from maskwright.settings import Budget
from maskwright.training.health.monitor import demand_healthy
from maskwright.training.trial import SECONDS, trial


def plan(
    data: str | Path | Inspection,
    *,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str | DeviceSettings = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    recipe: str | Path | Recipe | None = None,
    **inspection: Any,
) -> Plan:
    """The plan for a folder, without training: every setting with its reason.

    device: as for `train`; or the settings of a device that is elsewhere, as `devices.elsewhere` makes them: what steps
        cost is then estimated, not measured.
    recipe: a recipe to follow, by name or as a `.yaml` file; everything is then as it says.
    """
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, **inspection)
    return decided_for(seen, None, followed, budget_of(minutes, epochs), memory, device, seed, settings or {})


def decided_for(
    seen: Inspection,
    plan: Plan | None,
    recipe: Recipe | None,
    budget: Budget | None,
    memory: float | None,
    device: str | DeviceSettings,
    seed: int,
    wishes: Mapping[str, Any],
) -> Plan:
    """The plan that was given, with the wishes in it, or the recipe's, or a new one."""
    where = device if isinstance(device, DeviceSettings) else choose(device)
    options: dict[str, Any] = {"budget": budget, "device": where, "seed": seed, "wishes": wishes}
    if plan is not None:
        decided = plan.with_wishes(wishes) if device == "auto" else plan.with_wishes({**wishes, "device": where})
        decided = with_outputs(decided, plan)
        demand_here(decided.device)
    elif recipe is not None:
        decided = follow(recipe, seen.fingerprint, **options)
    else:
        decided = decide(
            seen.fingerprint, memory=memory, measure=_measure(budget) if is_here(where) else None, **options
        )
    demand_fitting(decided, seen.fingerprint)
    demand_healthy(decided)
    return decided


def _measure(budget: Budget | None) -> Measure:
    """What takes real steps: about a hundredth of the minutes for each candidate."""
    if budget is None or budget.minutes is None:
        return trial
    return partial(trial, seconds=min(SECONDS, 0.6 * budget.minutes))


def budget_of(minutes: float | None, epochs: float | None) -> Budget | None:
    """The budget that was stated, if any."""
    if minutes is None and epochs is None:
        return None
    return Budget.read({"minutes": minutes, "epochs": epochs}, "the budget")
