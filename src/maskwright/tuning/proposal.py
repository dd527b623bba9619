"""The space that is searched unless another is given: what usually pays, around the values that the plan has."""

from collections.abc import Iterable, Iterator
from typing import Any

from maskwright.errors import SettingError
from maskwright.model.cost import cost
from maskwright.plan import Plan
from maskwright.tuning.space import Dimension, Space, overlaps

COST = 1.6
"""A wider or deeper network may multiply and add so many times as often as the plan's, no more."""
SCALES = ((0.9, 1.1), (0.8, 1.25), (0.65, 1.5), (0.5, 2.0))
LIGHT = ("brightness", "contrast", "colour", "noise")

Proposal = tuple[str, Dimension]


def proposed(plan: Plan, fixed: Iterable[str] = ()) -> Space:
    """A space around the plan. Its present values are all in it.

    fixed: settings that keep their value.

    Raises:
        SettingError: everything that would be searched is fixed.
    """
    held = [plan.full_key(key) for key in fixed]
    found: dict[str, Dimension] = {}
    for part in (_rates, _weights, _augment, _loss, _batch, _network):
        for key, dimension in part(plan):
            if any(overlaps(key, name) for name in held):
                continue
            along = tuple(a for a in dimension.along if not any(overlaps(a, name) for name in held))
            found[key] = dimension.model_copy(update={"along": along})
    if not found:
        raise SettingError("All that would be searched is given its value. Say what to search with --space.")
    return Space(dimensions=found)


def _around(value: float, factor: float, along: tuple[str, ...] = ()) -> Dimension:
    """Up to so many times less and more, even in the logarithm."""
    return Dimension(low=value / factor, high=value * factor, log=True, along=along)


def _rates(plan: Plan) -> Iterator[Proposal]:
    optimizer, stages = plan.training.optimizer, plan.training.stages
    if not stages or any(stage.lr is None for stage in stages):
        along = ("training.optimizer.side_lr",) if optimizer.name == "muon" else ()
        yield "training.optimizer.lr", _around(optimizer.lr, 5, along)
    if optimizer.weight_decay:
        yield "training.optimizer.weight_decay", _around(optimizer.weight_decay, 10)


def _weights(plan: Plan) -> Iterator[Proposal]:
    now = plan.training.ema
    yield "training.ema", Dimension(choices=_with(now, (0.95, 0.98, 0.99, 0.995)))


def _augment(plan: Plan) -> Iterator[Proposal]:
    now = plan.augment
    yield "augment.scale", Dimension(choices=_with(list(now.scale), [list(scale) for scale in SCALES]))
    if 0 < now.rotate < 90:  # where no side is up, every turn is as likely as another
        yield "augment.rotate", Dimension(low=0, high=min(45.0, 3 * now.rotate))
    if now.elastic:
        yield "augment.elastic", Dimension(low=0, high=2.5 * now.elastic)
    # One strength for all of light: apart they would be four of a dozen, and all say the same.
    light = [f"augment.{name}" for name in LIGHT if getattr(now, name)]
    if light:
        yield light[0], _around(getattr(now, light[0].rpartition(".")[2]), 2.5, tuple(light[1:]))


def _loss(plan: Plan) -> Iterator[Proposal]:
    for name, weight in list(plan.loss.terms.items())[1:]:  # only their ratio to the first matters
        if weight > 0:
            yield f"loss.terms.{name}", _around(weight, 4)


def _batch(plan: Plan) -> Iterator[Proposal]:
    batch, least = plan.sampling.batch, 2 if plan.model.norm == "batch" else 1
    # With a number of steps for a budget, a larger batch would only be a longer training.
    if plan.training.budget.steps is None:
        sizes = [size for size in (batch // 2, batch, 2 * batch) if size >= least or size == batch]
        if len(sizes) > 1:
            yield "sampling.batch", Dimension(choices=tuple(sizes))


def _network(plan: Plan) -> Iterator[Proposal]:
    model = plan.model
    per_level = (model.widths, model.decoder_widths, model.blocks, model.convolutions, model.decoder_convolutions)
    if not model.encoder.is_own or any(isinstance(value, tuple) for value in per_level):
        return
    widths = sorted({max(1, round(model.base * share)) for share in (0.5, 0.75, 1, 1.25, 1.5)})
    if len(choices := _affordable(plan, "base", widths)) > 1:
        yield "model.base", Dimension(choices=choices)
    if model.padding == "same":  # a valid network of another depth wants other crops
        least = min(plan.sampling.crop)
        depths = [d for d in (model.depth - 1, model.depth, model.depth + 1) if 1 <= d <= 8]
        depths = [d for d in depths if d <= model.depth or least >= 4 * model.stem * 2**d]
        if len(choices := _affordable(plan, "depth", depths)) > 1:
            yield "model.depth", Dimension(choices=choices)


def _affordable(plan: Plan, name: str, values: list[int]) -> tuple[int, ...]:
    """Those values with which the network costs about as much as the plan's, or less."""
    crop = plan.sampling.crop
    most = COST * cost(plan.model, crop).multiply_adds
    found = []
    for value in values:
        try:
            record = plan.model.with_settings({name: value})
        except SettingError:  # as skip=add does where a level's width no longer fits
            continue
        if value == getattr(plan.model, name) or cost(record, crop).multiply_adds <= most:
            found.append(value)
    return tuple(found)


def _with(value: Any, others: Iterable[Any]) -> tuple[Any, ...]:
    """The others, and the value before them unless it is among them."""
    others = tuple(others)
    return others if value in others else (value, *others)
