"""Classes that the network never says."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen, Validated

HALF: Final = 0.5
"""Share of the training before which a network may well say one thing only: it learns the commonest class first."""
LATE: Final = 0.7
"""… and before which it may not yet know a rare class."""
ROW: Final = 3
"""Validations in a row. What is validated is the mean of the weights, which follows the network slowly."""
BETTER: Final = 0.03
"""Accuracy on training crops above that of one class throughout: the network itself knows more than its mean yet."""
LEAST: Final = 0.001
"""Of the pixels: a class below it may be missed for want of pixels, and is only noted."""
ALL: Final = 0.999
"""A share of the predicted pixels that is as good as all."""


class OneClassOnly:
    """A network that calls every pixel the same, at one validation after the other, though the masks show several
    classes: it gains most of a pixel-wise loss that way and does not find out of it.
    """

    moments: frozenset[Moment] = frozenset({"validation", "end"})
    tells: Mapping[str, str] = {
        "one-class-only": f"in the second half of the training {ROW} validations in a row, or the last of all, "
        f"predict one class for {ALL:.1%} of the pixels or more, though the masks show others"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        looked = _late(seen, HALF)
        if not looked or not all(_alone(one) for one in looked) or (not seen.ended and _knows_more(looked[-1])):
            return
        said, true = looked[-1].said, looked[-1].true
        most = max(range(len(said)), key=lambda label: said[label])
        dice = "loss.terms={dice: 1.0, cross_entropy: 0.5}"
        yield Finding(
            code="one-class-only",
            severity="note" if seen.short else "warning",
            title=f"Every pixel is called {_name(seen, most)} {_when(looked)}; the masks show "
            f"{sum(pixels > 0 for pixels in true)} classes",
            why=f"{true[most] / max(1, sum(true)):.0%} of the pixels are so; a loss by pixels falls far by that alone.",
            remedy=f"{TIME if seen.short else ''}Let the others weigh more: {_weights(looked[-1])} or {dice} If the "
            f"loss does not fall at all, learn more slowly: {seen.setup.rate_times(0.2)}",
        )


class NeverSaid:
    """Classes that no pixel is given to late in the training, though validation masks show them."""

    moments: frozenset[Moment] = frozenset({"validation", "end"})
    tells: Mapping[str, str] = {
        "class-never-predicted": f"after {LATE:.0%} of the training {ROW} validations in a row, or the last of all, "
        f"give no pixel to a class that the masks show; only noted where it has less than {LEAST:.1%} of the pixels"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding, for all such classes."""
        looked = _late(seen, LATE)
        if not looked or all(_alone(one) for one in looked):
            return
        true = looked[-1].true
        missed = [label for label, pixels in enumerate(true) if pixels and not any(one.said[label] for one in looked)]
        if not missed:
            return
        share = max(true[label] for label in missed) / max(1, sum(true))
        names = ", ".join(f"{_name(seen, label)} ({true[label]:,} pixels)" for label in missed[:4])
        more = f" and {len(missed) - 4} more" if len(missed) > 4 else ""
        regions = "loss.terms={cross_entropy: 1.0, tversky: 1.0}"
        yield Finding(
            code="class-never-predicted",
            severity="note" if seen.short or share < LEAST else "warning",
            title=f"Never predicted, {_when(looked)}: {names}{more}",
            why="Rare classes are learnt last, and one that is never called gains little by the first right pixel.",
            remedy=f"{TIME if seen.short else ''}Give them weight: {_weights(looked[-1])} or {regions} Or label more "
            "images that show them.",
            strength=float(len(missed)),
        )


TIME: Final = "Train longer (--minutes, --epochs). "


def _late(seen: Seen, share: float) -> Sequence[Validated]:
    """The last validations, if all of them are late enough; at the end the last alone."""
    looked = seen.validations[-1:] if seen.ended else seen.validations[-ROW:]
    return looked if len(looked) == (1 if seen.ended else ROW) and looked[0].progress >= share else ()


def _when(looked: Sequence[Validated]) -> str:
    return f"at step {looked[-1].step}" + (f" and since step {looked[0].step}" if len(looked) > 1 else "")


def _knows_more(one: Validated) -> bool:
    commonest = max(one.true) / max(1, sum(one.true))
    return one.train_accuracy is not None and one.train_accuracy > commonest + BETTER


def _alone(one: Validated) -> bool:
    """Whether one class was called nearly everywhere, though others are there to be found."""
    shown = sum(pixels > 0 for pixels in one.true)
    return shown > 1 and max(one.said) >= ALL * sum(one.said)


def _name(seen: Seen, label: int) -> str:
    names = seen.setup.classes
    return names[label] if label < len(names) else f"class {label}"


def _weights(one: Validated) -> str:
    """Class weights by the root of the share, as the plan gives them, ready to be typed."""
    total = max(1, sum(one.true))
    raw = [(total / pixels) ** 0.5 if pixels else 0.0 for pixels in one.true]
    mean = sum(weight * pixels for weight, pixels in zip(raw, one.true, strict=True)) / total
    return f"loss.class_weights=[{','.join(f'{weight / max(mean, 1e-9):.3g}' for weight in raw)}]"


causes.register("one-class-only")(OneClassOnly())
causes.register("never-said")(NeverSaid())
