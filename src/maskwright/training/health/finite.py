"""A loss or a gradient that is no number, and where it began."""

from collections.abc import Iterator, Mapping
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Lost, Moment, Seen

HALF_MOST: Final = 65504.0
"""The largest number that 16-bit floats of the kind float16 hold."""
GREW: Final = 2.0
"""Times its first length: weights that have grown so far in a training grew by steps too large."""
BRIGHT: Final = 1e3
"""Standard deviations: no image that was normalised has such values but by damage."""


class NotFinite:
    """A loss or gradient that is NaN or infinite: the batch is looked at again, layer by layer, and the first that made
    such a number is named. Images with such values, 16-bit floats that overflow, and weights that have grown are told
    apart.
    """

    moments: frozenset[Moment] = frozenset({"lost"})
    tells: Mapping[str, str] = {
        "nan-in-image": "the loss is NaN, and an image of the batch holds NaN or Inf itself",
        "overflow-in-16-bits": "loss or gradient is NaN or Inf in 16 bits, and sound when the step is computed in 32",
        "rate-lost-the-loss": f"loss or gradient is NaN or Inf, and the weights have grown {GREW:g} times, or the "
        "images are sound and a layer overflows",
        "loss-not-finite": "loss or gradient is NaN or Inf for no reason of these: the layer where it began is named",
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """One finding."""
        lost = seen.lost
        if lost is None:
            return
        code, why, remedy = _explained(lost, seen)
        yield Finding(
            code=code,
            severity="error",
            title=f"The {lost.what} is {lost.value} at step {lost.step}: {_began(lost)}",
            why=f"{why} The batch: {_listed(lost.images)}; the network was shown values from {lost.low:.3g} to "
            f"{lost.high:.3g}. The step was not taken.",
            remedy=remedy,
        )


def _began(lost: Lost) -> str:
    if lost.place == "image":
        return f"the image {_listed(lost.bad_images)} holds values that are no numbers"
    if lost.place == "layer":
        return f"it began in the layer {lost.layer}, whose input was at most {lost.largest:.3g} in size"
    if lost.place == "loss":
        return f"the logits are sound, at most {lost.largest:.3g} in size; it began in the loss function"
    if lost.place == "gradient":
        return f"the loss is sound; the first gradient that is not is that of {lost.layer}"
    return "when the step was computed again all was sound"


def _explained(lost: Lost, seen: Seen) -> tuple[str, str, str]:
    """The code, why, and what to do."""
    if lost.bad_images:
        names = " ".join(f"--skip {name}" for name in lost.bad_images)
        return (
            "nan-in-image",
            "What is no number spreads to every weight.",
            f"Repair the file, or leave it out: {names}",
        )
    if lost.in_32_bits:
        better = "device.precision=bf16-mixed" if seen.setup.precision == "16-mixed" else "device.precision=32-true"
        why = f"In 32 bits the same step is sound: 16-bit floats end at {HALF_MOST:,.0f} or lose what is small."
        return "overflow-in-16-bits", why, f"Take floats of a wider range: {better}"
    slower = seen.setup.rate_times(0.2)
    if max(abs(lost.low), abs(lost.high)) > BRIGHT:
        why = "The network was shown values a thousand deviations from the mean: an image unlike the others."
        return "loss-not-finite", why, "Look for it: maskwright inspect DATA. Or clip the gradients: optimizer.clip=1"
    if lost.grown >= GREW or lost.place == "layer":
        grown = f"The weights are {lost.grown:.3g} times as long as at first: " if lost.grown >= GREW else ""
        why = f"{grown}the learning rate, {lost.rate:.2g} here, is the likely cause."
        return "rate-lost-the-loss", why[0].upper() + why[1:], f"Lower it: {slower} Or clip: optimizer.clip=1"
    why = "Images and weights are sound, so it is the loss function or one batch that is hard to learn from."
    return "loss-not-finite", why, f"Clip the gradients: optimizer.clip=1 Or learn more slowly: {slower}"


def _listed(names: tuple[str, ...], most: int = 8) -> str:
    return ", ".join(dict.fromkeys(names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


causes.register("not-finite")(NotFinite())
