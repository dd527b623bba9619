"""What is searched: settings of the plan, each with the values that may be drawn for it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from maskwright.errors import MaskwrightError, SettingError, nearest
from maskwright.model.cost import cost
from maskwright.plan import Plan
from maskwright.records import Record, parse


class Dimension(Record):
    """The values that one setting may have: all from `low` to `high`, or one of `choices`."""

    low: float | None = Field(None, allow_inf_nan=False)
    high: float | None = Field(None, allow_inf_nan=False)
    log: bool = False
    """Whether the draws are even in the logarithm, as suits rates: between 0.001 and 0.1 half lie below 0.01."""
    step: float | None = Field(None, gt=0)
    """Only low, low + step, low + 2 step …; None: everything between."""
    whole: bool | None = None
    """Whether only whole numbers are drawn. None: where the setting knows no others."""
    choices: tuple[Any, ...] | None = None
    along: tuple[str, ...] = ()
    """Settings that are multiplied by the same factor as this one, both counted from the plan as it stands."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log or self.step or self.whole:
                raise ValueError("state choices, or low and high, not both")
            if len(self.choices) < 2:
                raise ValueError("with fewer than two choices there is nothing to search; set the value instead")
            return self
        if self.low is None or self.high is None:
            raise ValueError("state low and high, or choices")
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic scale has no {self.low:g}: low must be above 0")
        if self.log and self.step is not None:
            raise ValueError("steps are even, a logarithmic scale is not; leave out one of log and step")
        return self

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every choice, or the lowest and the highest value."""
        if self.choices is not None:
            return tuple(parse(choice) if isinstance(choice, str) else choice for choice in self.choices)
        return tuple(int(end) if self.whole and end is not None else end for end in (self.low, self.high))

    @property
    def names(self) -> list[str]:
        """The choices as text, which any storage can hold."""
        return [json.dumps(choice) for choice in self.ends]

    def holds(self, value: Any) -> bool:
        """Whether the value is one that could be drawn."""
        if self.choices is not None:
            return json.dumps(value) in self.names
        if isinstance(value, bool) or not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        step = self.step or (1.0 if self.whole else None)
        return self.low <= value <= self.high and (step is None or _is_whole((value - self.low) / step))

    def value(self, drawn: Any) -> Any:
        """What a draw means: a choice's name its value; four digits of a number, where they lie inside."""
        if self.choices is not None:
            return json.loads(drawn)
        if self.whole:
            return int(drawn)
        short = float(f"{drawn:.4g}")
        return short if self.low is not None and self.high is not None and self.low <= short <= self.high else drawn


class Space(Record):
    """Settings by dotted key, each with its values. As a file, the keys alone:

    optimizer.lr: {low: 1e-3, high: 3e-2, log: true, along: [optimizer.side_lr]}
    sampling.batch: [2, 4, 8]
    """

    dimensions: dict[str, Dimension] = Field(min_length=1)

    @classmethod
    def read(cls, values: Mapping[str, Any], source: str = "these settings") -> Self:
        """The space from a mapping; a list is short for its choices.

        Raises:
            SettingError: says of which setting what does not fit.
        """
        if not values:
            raise SettingError(f"{source} names no setting to search, as in optimizer.lr: {{low: 1e-3, high: 1e-1}}.")
        if set(values) == {"dimensions"}:
            return super().read(values, source)
        return cls(dimensions={str(key): _dimension(value, f"{key} of {source}") for key, value in values.items()})

    def demanded(self, plan: Plan, fixed: Mapping[str, Any] | None = None) -> "Space":
        """The same with full keys, and whole numbers where the plan wants them.

        fixed: settings that were given their value and so cannot be searched.

        Raises:
            SettingError: a setting is unknown (names the nearest) or fixed; the plan refuses an end or a choice.
        """
        found: dict[str, Dimension] = {}
        for given, dimension in self.dimensions.items():
            key = plan.full_key(given)
            if any(overlaps(key, plan.full_key(name)) for name in fixed or {}):
                raise SettingError(f"{given} is given its value and searched as well. Leave one of both out.")
            if key in found:
                raise SettingError(f"{given} stands in the space twice. Leave one of both out.")
            along = tuple(plan.full_key(other) for other in dimension.along)
            updated = dimension.model_copy(update={"along": along})
            found[key] = _demanded(plan, key, updated)
        moved = [key for dimension in found.values() for key in dimension.along]
        if twice := sorted({key for key in moved if key in found or moved.count(key) > 1}):
            raise SettingError(f"{twice[0]} would follow two settings of the space, or one and itself. Leave one out.")
        return Space(dimensions=found)

    def settings(self, plan: Plan, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """What the drawn values change in the plan, by full key; settings that go along with them too."""
        found: dict[str, Any] = {}
        for key, what in drawn.items():
            dimension = self.dimensions[key]
            found[key] = dimension.value(what)
            factor = found[key] / value_at(plan, key) if dimension.along else 1.0
            found |= {other: float(f"{value_at(plan, other) * factor:.4g}") for other in dimension.along}
        return {key: value for key, value in found.items() if value != value_at(plan, key)}

    def of(self, plan: Plan) -> dict[str, Any]:
        """What would have to be drawn for the plan as it stands; without settings whose value cannot be drawn."""
        now = {key: value_at(plan, key) for key in self.dimensions}
        held = {key: value for key, value in now.items() if self.dimensions[key].holds(value)}
        return {k: json.dumps(v) if self.dimensions[k].choices is not None else v for k, v in held.items()}


def overlaps(key: str, other: str) -> bool:
    """Whether one of two settings is the other or a part of it."""
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def value_at(plan: Plan, key: str) -> Any:
    """The plan's value of a full dotted key, plain; None also where a mapping has no such key."""
    here: Any = plan
    for step in key.split("."):
        here = here.get(step) if isinstance(here, dict) else getattr(here, step, None)
    return list(here) if isinstance(here, tuple) else here


def _dimension(value: Any, source: str) -> Dimension:
    if isinstance(value, list):
        value = {"choices": value}
    if not isinstance(value, dict):
        raise SettingError(f"{source} should be {{low: …, high: …}} or a list of choices, and is {value!r}.")
    return Dimension.read(value, source)


def _demanded(plan: Plan, key: str, dimension: Dimension) -> Dimension:
    """The dimension, if the plan takes its ends one by one; whole where a number with a fraction is refused."""
    for other in (key, *dimension.along):
        if other not in plan.keys() and not other.startswith("loss.terms."):  # noqa: SIM118  # a record's, no mapping's
            raise SettingError(f"Unknown setting {other!r} in the space. {nearest(other, plan.keys())}")
    if dimension.along:
        _demand_numbers(plan, key, dimension)
    for end in dimension.ends:
        moved = {key: end}
        if dimension.along:
            factor = end / value_at(plan, key)
            moved |= {other: value_at(plan, other) * factor for other in dimension.along}
        try:
            changed = plan.with_settings(moved)
            if key.startswith("model."):
                cost(changed.model, changed.sampling.crop)  # a name that timm does not know is found here
        except MaskwrightError as error:
            raise SettingError(f"The space of {key} holds {end!r}, which the plan refuses: {error}") from None
    if dimension.choices is None and dimension.whole is None:
        dimension = dimension.model_copy(update={"whole": not _takes_fractions(plan, key, dimension)})
    if dimension.whole:
        for end in (dimension.low, dimension.high, dimension.step):
            if end is not None and end != int(end):
                raise SettingError(f"{key} takes whole numbers only; its space has {end:g}.")
    return dimension


def _takes_fractions(plan: Plan, key: str, dimension: Dimension) -> bool:
    for between in _between(*dimension.ends):
        try:
            plan.with_settings({key: between})
        except SettingError:
            continue
        return True
    return False


def _between(low: float, high: float) -> Iterator[float]:
    """Two numbers with a fraction: one end may be refused for reasons of its own, which are told later."""
    for share in (0.382, 0.618):
        value = low + share * (high - low)
        yield value if value != int(value) else value + 0.001 * (high - low)


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6


def _demand_numbers(plan: Plan, key: str, dimension: Dimension) -> None:
    for name in (key, *dimension.along):
        value = value_at(plan, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
            raise SettingError(
                f"{', '.join(dimension.along)} shall go along with {key} in proportion, but {name} is {value!r} in "
                "the plan. Give it a number, or leave `along` out."
            )
