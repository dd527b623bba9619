"""What is learnt of the training images and does not hold for others, and what is not learnt at all."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from maskwright.training.health.registry import Finding, causes
from maskwright.training.health.seen import Moment, Seen, Validated

ENOUGH: Final = 4
"""Validations below which a rise may be luck."""
RISE: Final = 0.2
"""Share by which the validation loss lies above its lowest. With few images it comes and goes by a tenth."""
FALL: Final = 0.1
"""… while the training loss fell by this share."""
LOST: Final = 0.03
"""Mean IoU: less is lost and won again from one validation to the next."""
GAINED: Final = 0.02
POOR_SCORE: Final = 0.5
POOR_GAIN: Final = 0.3
"""Poor: a mean IoU below the one, and less than the other of what always calling the commonest class leaves to gain.
The report's verdict asks for more; here the training may still be going on."""


class Overfitting:
    """The training loss goes on falling while validation loss and score grow worse than they were: from there on the
    network learns the training images by heart.
    """

    moments: frozenset[Moment] = frozenset({"validation", "end"})
    tells: Mapping[str, str] = {
        "overfitting": f"for two validations the validation loss lies {RISE:.0%} above its lowest and the score {LOST} "
        f"below its best, while the training loss fell by {FALL:.0%}"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        turn = _turn(seen.validations)
        if turn is None:
            return
        last = seen.validations[-1]
        best = max(one.score for one in seen.validations)
        lost = best - max(one.score for one in seen.validations[-2:])
        fall = 1 - last.train_loss / max(turn.train_loss, 1e-12)
        if lost < LOST or fall < FALL:
            return
        yield Finding(
            code="overfitting",
            severity="warning",
            title=f"Since step {turn.step} the validation loss rose from {turn.loss:.3g} to {last.loss:.3g} and the "
            f"mean IoU fell from {best:.3f} to {last.score:.3f}, while the training loss fell by {fall:.0%}",
            why="The network learns the training images by heart; the best weights are kept.",
            remedy="More labelled images help most. Else vary or hold back more: augment.rotate=30 augment.elastic=6 "
            "model.dropout=0.2, or stop in time: validation.patience=5",
            strength=lost,
        )


class Disagreement:
    """Validation loss and score that go opposite ways. A loss that rises with the score is overconfidence: masks are
    better, the probabilities worse (Guo et al. 2017, arXiv 1706.04599). A loss that falls while the score falls is
    imbalance: the common classes gain at the cost of the rare ones, which count alike in the score.
    """

    moments: frozenset[Moment] = frozenset({"validation", "end"})
    tells: Mapping[str, str] = {
        "overconfident": f"for two validations the validation loss lies {RISE:.0%} above its lowest, the score "
        f"{GAINED} above what it was there",
        "score-falls-with-loss": f"for two validations the score lies {LOST} below its best, the validation loss "
        f"{FALL:.0%} below what it was there",
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        if not seen.validations:
            return
        turn, last = _turn(seen.validations), seen.validations[-1]
        recent = seen.validations[-2:]
        if turn is not None and min(one.score for one in recent) >= turn.score + GAINED:
            yield Finding(
                code="overconfident",
                severity="note",
                title=f"Since step {turn.step} the validation loss rose from {turn.loss:.3g} to {last.loss:.3g}, and "
                f"the mean IoU with it, from {turn.score:.3f} to {last.score:.3f}",
                why="The masks grow better, the probabilities too sure of themselves: where they are wrong the loss "
                "asks much. Harmless if only masks matter.",
                remedy="If probabilities matter: validation.keep=loss or "
                "loss.options={cross_entropy: {label_smoothing: 0.05}}",
            )
            return
        best = max(seen.validations, key=lambda one: one.score)
        if len(seen.validations) < ENOUGH or best in recent:
            return
        lost = best.score - max(one.score for one in recent)
        fell = 1 - max(one.loss for one in recent) / max(best.loss, 1e-12)
        if lost >= LOST and fell >= FALL:
            yield Finding(
                code="score-falls-with-loss",
                severity="warning",
                title=f"Since step {best.step} the mean IoU fell from {best.score:.3f} to {last.score:.3f}, though the "
                f"validation loss fell too, from {best.loss:.3g} to {last.loss:.3g}",
                why="The loss counts pixels, the score classes: common classes gain at the cost of rare ones. The best "
                "weights are kept.",
                remedy="Let every class count in the loss: loss.terms={cross_entropy: 1.0, dice: 2.0} or "
                "loss.class_weights, rare classes higher",
                strength=lost,
            )


class Underfitting:
    """A training that ends poor on its own training images, with a loss that was still falling."""

    moments: frozenset[Moment] = frozenset({"end"})
    tells: Mapping[str, str] = {
        "underfitting": f"at the end the mean IoU is below {POOR_SCORE} and accuracy no more than {POOR_GAIN:.0%} "
        "of the way from always calling the commonest class to perfect"
    }

    def __call__(self, seen: Seen) -> Iterator[Finding]:
        """At most one finding."""
        if not seen.validations:
            return
        last = seen.validations[-1]
        known = [one.train_accuracy for one in seen.validations[-3:] if one.train_accuracy is not None]
        if not known or not sum(last.true):
            return
        commonest = max(last.true) / sum(last.true)
        gain = (max(median(known), last.accuracy) - commonest) / max(1 - commonest, 1e-12)
        if last.score >= POOR_SCORE or gain >= POOR_GAIN:
            return
        losses = [window.loss for window in seen.windows]
        fall = 1 - median(losses[-2:]) / max(losses[len(losses) * 2 // 3], 1e-12) if len(losses) >= 6 else 0.0
        falling = f", and the loss still fell by {fall:.0%} in the last third" if fall >= FALL / 2 else ""
        longer = "Train longer: --minutes, --epochs" if falling or seen.short else "Take a wider network: model.base=48"
        yield Finding(
            code="underfitting",
            severity="note" if seen.short else "warning",
            title=f"At the end training accuracy is {median(known):.3f} and mean IoU {last.score:.3f}; always calling "
            f"the commonest class gives {commonest:.3f}{falling}",
            why="The network has not learnt its own training images yet.",
            remedy=f"{longer} Or weaker augmentation or less dropout if they are strong. Test whether it can learn at "
            "all: --overfit-one-batch",
        )


def _turn(validations: Sequence[Validated]) -> Validated | None:
    """The validation of the lowest loss, if the last two lie well above it."""
    if len(validations) < ENOUGH:
        return None
    lowest = min(validations, key=lambda one: one.loss)
    if lowest in validations[-2:] or min(one.loss for one in validations[-2:]) < (1 + RISE) * lowest.loss:
        return None
    return lowest


causes.register("overfitting")(Overfitting())
causes.register("disagreement")(Disagreement())
causes.register("underfitting")(Underfitting())
