"""Which steps clean up, in which order, for which classes."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import model_validator

from maskwright.errors import SettingError, nearest
from maskwright.files import Plane
from maskwright.records import Record, parse
from maskwright.regions.clean_up.registry import Step, Task, steps
from maskwright.regions.scratch import Scratch, in_memory


class CleanUpStep(Record):
    """One step by name, with those of its options that are not to have their default."""

    name: str
    classes: tuple[str, ...] | None = None
    """By name, those that it is for; None: all but the background."""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            self.made()
        except SettingError as error:
            raise ValueError(str(error)) from None
        return self

    def made(self) -> Step:
        """The step itself."""
        return steps[self.name].read(self.options, f"the options of {self.name}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """A step as it is typed: `drop_specks:smaller_than=50,classes=cell+nucleus`.

        Raises:
            SettingError: it is written otherwise, or the step or an option is unknown or does not fit.
        """
        name, _, rest = text.partition(":")
        options: dict[str, Any] = {}
        for part in filter(None, rest.split(",")):
            key, equals, value = part.partition("=")
            if not equals:
                raise SettingError(
                    f"{part!r} in the clean-up step {text!r} should be OPTION=VALUE, as in "
                    "drop_specks:smaller_than=50,classes=cell+nucleus."
                )
            options[key.strip()] = value.strip() if key.strip() == "classes" else parse(value)
        classes = options.pop("classes", None)
        chosen = None if classes is None else tuple(classes.split("+"))
        return cls.read({"name": name.strip(), "classes": chosen, "options": options}, f"clean-up step {text!r}")


class CleanUp(Record):
    """Steps that mend labels after the network, one after the other."""

    steps: tuple[CleanUpStep, ...] = ()

    def demand_fit(self, names: Sequence[str], background: int | None) -> None:
        """Nothing, if the steps fit these classes, named by label.

        Raises:
            SettingError: a class is unknown, or is the background; a step needs a background, and there is none.
        """
        for step in self.steps:
            _labels(step, names, background)
            step.made().demand_fit(background)

    def apply(self, labels: Plane, names: Sequence[str], background: int | None, scratch: Scratch = in_memory) -> None:
        """Mend a plane of labels, H W uint8, in place.

        names: the classes', by label.
        background: the label of what is no object, if there is one.

        Raises:
            SettingError: as for `demand_fit`.
        """
        self.demand_fit(names, background)
        for step in self.steps:
            step.made()(Task(labels, _labels(step, names, background), background, scratch))


def _labels(step: CleanUpStep, names: Sequence[str], background: int | None) -> tuple[int, ...]:
    """The labels that a step is for."""
    things = {name: label for label, name in enumerate(names) if label != background}
    if step.classes is None:
        return tuple(things.values())
    for name in step.classes:
        if name not in things:
            why = f"{name!r} is the background" if name in names else f"There is no class {name!r}"
            raise SettingError(f"{why}, so {step.name} cannot be for it. {nearest(name, things)}")
    return tuple(things[name] for name in step.classes)
