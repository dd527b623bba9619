"""The verdict: what the curves and scores of a training say, and what to do about it.

Three questions are asked of every training: was the step size right (does the loss swing?), did it learn enough (are
both training and validation poor?), and does it know by heart (a gap between them)? Two habits of our training are
allowed for. The training loss is a mean since the last validation, over augmented crops, with dropout, of weights that
still move; so validation is often *better* than training, which is no fault. And under a one-cycle schedule the last
validation is the best by design, which alone does not say that training was too short.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal

from maskwright.evaluation.charts import percent
from maskwright.evaluation.scores import ClassScores, Scores
from maskwright.records import Record
from maskwright.training.callbacks import HistoryRow

ENOUGH = 5
"""Rows below which no curve is judged: of four points nobody can tell a swing from a trend."""
SWING = 0.10
"""A loss swings when in half the rows it turns back by a tenth of itself. Crops of unlike difficulty make it turn by
less: the tests draw healthy curves with 6 % of noise, which must stay below."""
VALIDATION_SWING = 0.20
"""The same for the validation loss, which a handful of images makes rougher."""
ROSE = 1.3
"""The training loss ended this many times above its lowest: it did not only swing, it left."""
RISE = 0.15
"""The validation loss ended this share above its lowest. Less comes and goes when few images are looked at."""
FALL = 0.10
"""… while the training loss fell by this share more: what is still being learned no longer helps."""
LOST = 0.02
"""Mean IoU lost since its best: the rising loss costs masks, not only confidence."""
GAP = 0.08
"""Accuracy on training crops above that on validation images. Crops are augmented, so the true gap is larger still."""
POOR_SCORE = 0.6
POOR_GAIN = 0.5
"""Poor: a mean IoU below the one, and less than the other of what always calling the commonest class leaves to gain."""
LATE = 0.75
"""The last quarter of the steps is where a finished training stands still."""
LATE_GAIN, ANNEALED_GAIN = 0.02, 0.03
"""Mean IoU gained there that a longer training may continue; more is asked where the falling rate explains some."""
WEAK = 0.5
"""IoU below which a class is named: more of its pixels are wrong than right."""


class Finding(Record):
    """One thing that was looked at, what was seen, and the remedy in our own settings."""

    name: str
    level: Literal["good", "note", "warning"]
    text: str
    remedy: str | None = None


def verdict(history: Sequence[HistoryRow], scores: Scores | None = None) -> list[Finding]:
    """What a training's history and the scores of its model say; the worst first.

    scores: of the validation images, or of those the model is to be judged by; None: not scored.
    """
    findings: list[Finding] = []
    if scores is None and not any(row.val_score is not None for row in history):
        findings.append(_unscored())
    if len(history) >= ENOUGH:
        findings += [_step_size(history), *_overfitting(history), *_still_improving(history)]
    elif history:
        findings.append(_too_early(len(history)))
    findings += _underfitting(history, scores)
    findings += [] if scores is None else _classes(scores)
    order = {"warning": 0, "note": 1, "good": 2}
    return sorted(findings, key=lambda finding: order[finding.level])


def _unscored() -> Finding:
    return Finding(
        name="No score",
        level="warning",
        text="No image was held out, so nobody knows how good the model is on images it has not learned from.",
        remedy="Label at least two images, or set some aside: --val PATTERN, or split: in dataset.yaml.",
    )


def _too_early(rows: int) -> Finding:
    return Finding(
        name="Curves",
        level="note",
        text=f"{rows} validation{'s are' if rows > 1 else ' is'} too few to judge the curves by.",
        remedy="Train longer (--epochs, --minutes), or look more often: validation.times=10.",
    )


def _step_size(history: Sequence[HistoryRow]) -> Finding:
    train = [row.train_loss for row in history]
    held_out = _known(history, lambda row: row.val_loss)
    smooth = _smoothed(train)
    lower = "Lower the learning rate, optimizer.lr (with muon also optimizer.side_lr), to a third of what it was"
    if smooth[-1] > ROSE * min(smooth):
        text = f"The training loss rose again, from {min(smooth):.3g} to {smooth[-1]:.3g}: the steps are too large."
        return Finding(name="Step size", level="warning", text=text, remedy=f"{lower}, or set optimizer.clip=1.")
    both = (("training", train, SWING), ("validation", held_out, VALIDATION_SWING))
    for kind, values, threshold in both:
        if (swing := _swing(values)) < threshold:
            continue
        size = f"The {kind} loss swings: it turns back by {percent(swing)} of itself from one validation to the next"
        # What swings at the top of the rate and lies still at its end is one-cycle at work.
        if len(values) >= 2 * ENOUGH and _swing(values[len(values) // 2 :]) < threshold:
            text = f"{size} in the first half of the training, and then calmed down."
            return Finding(name="Step size", level="note", text=text, remedy=f"If the score disappoints: {lower}.")
        remedy = f"{lower}, or take larger batches (sampling.batch)."
        return Finding(name="Step size", level="warning", text=f"{size}.", remedy=remedy)
    return Finding(name="Step size", level="good", text="The loss does not swing: the learning rate is not too high.")


def _overfitting(history: Sequence[HistoryRow]) -> list[Finding]:
    rows = [row for row in history if row.val_loss is not None]
    if len(rows) < ENOUGH:
        return []
    train, held_out = (_smoothed(_known(rows, value)) for value in (lambda r: r.train_loss, lambda r: r.val_loss))
    lowest = held_out.index(min(held_out))
    rise = held_out[-1] / max(held_out[lowest], 1e-12) - 1
    fall = 1 - train[-1] / max(train[lowest], 1e-12)
    remedy = (
        "More labelled images help most. Else stronger augmentation (augment.rotate, augment.scale, augment.elastic), "
        "model.dropout=0.2, a larger optimizer.weight_decay, a smaller network (model.base), or stop in time: "
        "validation.patience=5."
    )
    if rise >= RISE and fall >= FALL:
        scores = _smoothed(_known(rows, lambda row: row.val_score))
        lost = max(scores) - scores[-1] if scores else 0.0
        text = (
            f"After epoch {rows[lowest].epoch:.3g} the validation loss rose by {percent(rise)} while the training loss "
            f"fell by {percent(fall)}: from there on the network learned the training images by heart. "
        )
        text += f"It cost {lost:.2f} of the mean IoU; " if lost >= LOST else "The mean IoU hardly suffered; "
        level: Literal["note", "warning"] = "warning" if lost >= LOST else "note"
        return [Finding(name="Overfitting", level=level, text=text + "the best weights were kept.", remedy=remedy)]
    gap = _late(_known(rows, lambda row: row.train_accuracy)) - _late(_known(rows, lambda r: r.val_accuracy))
    if gap >= GAP:
        text = f"At the end the accuracy is {percent(gap)} higher on training crops than on validation images."
        return [Finding(name="Overfitting", level="warning" if gap >= 2 * GAP else "note", text=text, remedy=remedy)]
    text = "Training and validation stay together: what was learned holds for images that were not learned from."
    return [Finding(name="Overfitting", level="good", text=text)]


def _underfitting(history: Sequence[HistoryRow], scores: Scores | None) -> list[Finding]:
    rows = [row for row in history if row.val_accuracy is not None and row.val_score is not None]
    trained = _known(history, lambda row: row.train_accuracy)
    if not rows or not trained:
        return []
    last = max(rows, key=lambda row: row.val_score or 0.0)
    commonest = _commonest(scores)
    gains = [_gain(accuracy, commonest) for accuracy in (_late(trained), last.val_accuracy or 0.0)]
    if (last.val_score or 0.0) < POOR_SCORE and max(gains) < POOR_GAIN:
        text = (
            f"Training and validation are both poor: accuracy {_late(trained):.3f} and {last.val_accuracy:.3f}, where "
            f"always calling the commonest class gives {commonest:.3f}."
        )
        remedy = (
            "First look at the pictures: do the masks fit their images? Then train longer (--epochs, --minutes), take "
            "a larger network (model.base, model.depth), weaker augmentation (augment.rotate, augment.scale), less "
            "model.dropout, or another optimizer.lr."
        )
        return [Finding(name="Underfitting", level="warning", text=text, remedy=remedy)]
    return [Finding(name="Underfitting", level="good", text="The network is large enough for what it was to learn.")]


def _still_improving(history: Sequence[HistoryRow]) -> list[Finding]:
    rows = [row for row in history if row.val_score is not None]
    scores = _smoothed(_known(rows, lambda row: row.val_score))
    before = [score for row, score in zip(rows, scores, strict=True) if row.step <= LATE * history[-1].step]
    if len(rows) < ENOUGH or not before:
        return []
    # Not the best against the best: of many rows one is always lucky.
    gain = scores[-1] - before[-1]
    annealed = history[-1].rate < 0.2 * max(row.rate for row in history)
    if gain < (ANNEALED_GAIN if annealed else LATE_GAIN):
        text = "The score stood still at the end: a longer training would change little."
        return [Finding(name="Length", level="good", text=text)]
    text = f"In the last quarter of the training the mean IoU still rose by {gain:.3f}."
    return [Finding(name="Length", level="note", text=text, remedy="Train longer: more --epochs or --minutes.")]


def _classes(scores: Scores) -> list[Finding]:
    findings = []
    for one in scores.classes:
        name, iou = f"Class {one.name}", one.scores.get("iou")
        if one.absent:
            text = f"No image that was scored shows {one.name}; how well it is found is not known."
            remedy = "Set images aside that show it: --val PATTERN or --test PATTERN."
            findings.append(Finding(name=name, level="note", text=text, remedy=remedy))
        elif one.predicted == 0:
            text = f"{one.name} was never predicted, though {one.pixels:,} pixels are of it."
            remedy = (
                "Train longer, give it weight (loss.class_weights), label more images that show it, or merge it with "
                "another class in dataset.yaml."
            )
            findings.append(Finding(name=name, level="warning", text=text, remedy=remedy))
        elif iou is not None and iou < WEAK:
            findings.append(_weak(one, iou))
    return findings


def _weak(one: ClassScores, iou: float) -> Finding:
    precision, recall = one.scores.get("precision") or 0.0, one.scores.get("recall") or 0.0
    text = f"{one.name} is found poorly (IoU {iou:.2f}): "
    if recall < precision:
        text += f"{percent(1 - recall)} of its pixels are missed."
        remedy = "Give the class more weight (loss.class_weights), or label more images that show it."
    else:
        text += f"{percent(1 - precision)} of what is called so is something else."
        remedy = "Label more images that show it beside what it is mistaken for; the confusion matrix names it."
    return Finding(name=f"Class {one.name}", level="note", text=text, remedy=remedy)


def _swing(values: Sequence[float]) -> float:
    """How far the values turn back on themselves: the median over rows of the smaller of the moves before and after,
    where they go opposite ways (else 0), as a share of the level there.

    A median, so that one bad batch is no swing; turns only, so that a steep or bending fall is none.
    """
    turns = [
        min(abs(b - a), abs(c - b)) / max((abs(a) + abs(b) + abs(c)) / 3, 1e-12) if (b - a) * (c - b) < 0 else 0.0
        for a, b, c in zip(values, values[1:], values[2:], strict=False)
    ]
    return median(turns) if len(turns) >= ENOUGH - 2 else 0.0


def _smoothed(values: Sequence[float]) -> list[float]:
    """The running median over three values, or a sixth of them if that is more: neither outlier nor luck is a trend."""
    reach = max(1, len(values) // 12)
    return [median(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))]


def _late(values: Sequence[float]) -> float:
    """Where the values stand at the end."""
    return median(values[-3:]) if values else 0.0


def _known(rows: Sequence[HistoryRow], value: Callable[[HistoryRow], float | None]) -> list[float]:
    return [known for row in rows if (known := value(row)) is not None]


def _commonest(scores: Scores | None) -> float:
    """The accuracy of always calling the commonest class."""
    pixels = [one.pixels for one in scores.classes] if scores else []
    return max(pixels) / sum(pixels) if sum(pixels) else 0.0


def _gain(accuracy: float, commonest: float) -> float:
    """The share of what could be gained over always calling the commonest class."""
    return (accuracy - commonest) / max(1 - commonest, 1e-12)
