"""A weighted sum of losses by name, as it stands in a plan."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.losses.registry import Loss, LossRecord, losses
from maskwright.records import Record


class BorderSettings(Record):
    """A weight a pixel that is high on the thin borders between objects (Ronneberger et al. 2015).

    `data.borders` paints it: w = w_class + w0 · exp(-(d1 + d2)² / 2σ²), d1 and d2 the distances to the nearest two
    objects.
    """

    w0: float = Field(10.0, ge=0, allow_inf_nan=False)
    """What the narrowest border weighs, on top of its class."""
    sigma: float = Field(5.0, gt=0, allow_inf_nan=False)
    """How wide a border still counts, in pixels of the working image."""
    balance: bool = True
    """Whether background and objects have weights w_class, inverse to their pixels; otherwise both have 1."""


class LossSettings(Record):
    """Which losses are added up, with which options, and what each class and each pixel weighs."""

    terms: dict[str, float] = Field(default={"cross_entropy": 1.0, "dice": 1.0}, min_length=1)
    """Name of a loss → its weight in the sum."""
    options: dict[str, dict[str, Any]] = {}
    """Name of a loss among the terms → those of its options that are not to have their default."""
    class_weights: tuple[float, ...] | None = None
    """One number a class, for the losses that know weights and have none among their options; None: all alike."""
    border: BorderSettings | None = None
    """Weights a pixel, high between objects that nearly touch, for the losses that know them; None: all alike."""

    @field_validator("terms")
    @classmethod
    def _known(cls, terms: dict[str, float]) -> dict[str, float]:
        try:
            for name in terms:
                losses[name]
        except SettingError as error:
            raise ValueError(str(error)) from None
        return terms

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        for name, options in self.options.items():
            try:
                losses[name].read(options, f"options.{name}")
            except SettingError as error:
                raise ValueError(str(error)) from None
            if name not in self.terms:
                raise ValueError(
                    f"options are given for {name!r}, which is not among the terms ({', '.join(self.terms)}). "
                    f"Give it a weight, as in terms.{name}=1, or leave its options out"
                )
        return self

    @model_validator(mode="after")
    def _border_is_used(self) -> Self:
        if self.border is None:
            return self
        if not self.uses_pixel_weights:
            able = [name for name, part in losses.items() if part.uses_pixel_weights]
            raise ValueError(
                f"border gives weights a pixel, and none of the terms ({', '.join(self.terms)}) uses them. "
                f"Add one that does ({', '.join(able)}), or set border to null"
            )
        if self.border.balance and self.class_weights is not None:
            raise ValueError(
                "border.balance weighs the classes, and so does class_weights. Set border.balance to false, or "
                "class_weights to null"
            )
        return self

    @property
    def uses_pixel_weights(self) -> bool:
        """Whether a term asks what each pixel weighs."""
        return any(losses[name].uses_pixel_weights for name in self.terms)


class Mixture:
    """A weighted sum of losses."""

    def __init__(self, terms: list[tuple[float, Loss]]):
        self.terms = terms

    def __call__(self, logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
        """The sum, a float32 scalar. Weights a pixel go to every term; those that know none let them be."""
        first, *rest = (weight * loss(logits, labels, weights) for weight, loss in self.terms)
        return sum(rest, start=first)


def build(settings: LossSettings) -> Mixture:
    """The loss that the settings describe."""
    return Mixture([(weight, _term(settings, name)) for name, weight in settings.terms.items()])


def _term(settings: LossSettings, name: str) -> LossRecord:
    part, options = losses[name], settings.options.get(name, {})
    shared = {"class_weights": settings.class_weights} if "class_weights" in part.model_fields else {}
    return part.read({**shared, **options}, f"loss.options.{name}")
