"""A weighted sum of losses by name, as it stands in a plan."""

from pydantic import Field, field_validator
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.losses.registry import Loss, losses
from maskwright.records import Record


class LossSettings(Record):
    """Which losses are added up, and how heavy each class is."""

    terms: dict[str, float] = Field(default={"cross_entropy": 1.0, "dice": 1.0}, min_length=1)
    """Name of a loss → its weight in the sum."""
    class_weights: tuple[float, ...] | None = None
    """One number a class, for the losses that know weights; None: all alike."""

    @field_validator("terms")
    @classmethod
    def _known(cls, terms: dict[str, float]) -> dict[str, float]:
        try:
            for name in terms:
                losses[name]
        except SettingError as error:
            raise ValueError(str(error)) from None
        return terms


class Mixture:
    """A weighted sum of losses."""

    def __init__(self, terms: list[tuple[float, Loss]]):
        self.terms = terms

    def __call__(self, logits_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
        """The sum, a float32 scalar."""
        first, *rest = (weight * loss(logits_BKHW, labels_BHW) for weight, loss in self.terms)
        return sum(rest, start=first)


def build(settings: LossSettings) -> Loss:
    """The loss that the settings describe."""
    return Mixture(
        [(weight, losses[name](class_weights=settings.class_weights)) for name, weight in settings.terms.items()]
    )
