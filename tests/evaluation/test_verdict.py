import math
import re
from collections.abc import Callable

import numpy as np
import pytest

from maskwright.data.fingerprint import Fingerprint
from maskwright.evaluation.scores import ClassScores, Scores
from maskwright.evaluation.verdict import Finding, verdict
from maskwright.plan import decide
from maskwright.training.callbacks import HistoryRow

Curve = Callable[[float], float]


def falling(p: float) -> float:
    return 1.2 * math.exp(-6 * p) + 0.15


def rising(p: float) -> float:
    return 0.9 * (1 - math.exp(-7 * p))


def onecycle(p: float) -> float:
    return 0.02 * (p / 0.15 if p < 0.15 else (1 + math.cos(math.pi * (p - 0.15) / 0.85)) / 2)


def history(
    rows: int = 12,
    *,
    train: Curve = falling,
    val: Curve = lambda p: 0.9 * falling(p),
    score: Curve = rising,
    train_accuracy: Curve = lambda p: 0.95 - 0.3 * math.exp(-6 * p),
    val_accuracy: Curve = lambda p: 0.955 - 0.3 * math.exp(-6 * p),
    rate: Curve = onecycle,
    validated: bool = True,
    noise: Callable[[], float] = lambda: 1.0,
) -> list[HistoryRow]:
    """A history whose values are functions of the progress, 0 … 1; the healthy one unless told otherwise."""
    out = []
    for i in range(1, rows + 1):
        p = i / rows
        held_out = {"val_loss": val(p) * noise(), "val_accuracy": val_accuracy(p), "val_score": score(p)}
        out.append(
            HistoryRow(
                step=100 * i, epoch=2.0 * i, seconds=10.0 * i, rate=rate(p), train_loss=train(p) * noise(),
                train_accuracy=train_accuracy(p), **(held_out if validated else {}),
            )
        )  # fmt: skip
    return out


def scores(**classes: dict[str, float]) -> Scores:
    """Scores with those classes: pixels, predicted, and metrics."""
    made = tuple(
        ClassScores(
            name=name,
            pixels=int(of.get("pixels", 1000)),
            predicted=int(of.get("predicted", 1000)),
            scores={m: of.get(m, 0.9) if of.get("pixels", 1) else None for m in ("iou", "dice", "precision", "recall")},
        )
        for name, of in classes.items()
    )
    return Scores(
        split="val", images=9, mean_iou=0.9, mean_iou_interval=None, accuracy=0.95, classes=made,
        confusion=tuple((0,) * len(made) for _ in made), per_image=(),
    )  # fmt: skip


def bad(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings if finding.level != "good"}


def alternating(rows: int, by: float) -> Curve:
    """A healthy loss that is too high and too low by turns."""
    return lambda p: falling(p) * (1 + by * (-1) ** round(p * rows))


HEALTHY = scores(background={"pixels": 3000}, cell={})


@pytest.mark.parametrize("rows", [6, 12, 50])
@pytest.mark.parametrize("rate", [onecycle, lambda p: 1e-3])
def test_a_healthy_training_is_praised_and_nothing_else(rows, rate):
    findings = verdict(history(rows, rate=rate), HEALTHY)

    assert not bad(findings)
    assert {finding.name for finding in findings} == {"Step size", "Overfitting", "Underfitting", "Length"}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("rows", [1, 2, 3, 6, 10, 50])
def test_noise_raises_no_warning(rows, seed):
    rng = np.random.default_rng(seed)

    findings = verdict(history(rows, noise=lambda: 1 + rng.normal(0, 0.06)), HEALTHY)

    assert not [finding for finding in findings if finding.level == "warning"]


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_few_rows_are_called_too_few_and_never_swing_or_overfit(rows):
    wild = history(rows, train=lambda p: 5 * p**2, val=lambda p: 9 * p**3)

    assert set(bad(verdict(wild, HEALTHY))) == {"Curves"}


def test_nothing_at_all_is_only_not_scored():
    assert set(bad(verdict([], None))) == {"No score"}


def test_a_swinging_loss_is_warned_of_and_the_rate_named():
    found = bad(verdict(history(12, train=alternating(12, 0.25)), HEALTHY))

    assert found["Step size"].level == "warning"
    assert "optimizer.lr" in (found["Step size"].remedy or "")


def test_a_swinging_validation_loss_is_warned_of_too():
    found = bad(verdict(history(12, val=alternating(12, 0.4)), HEALTHY))

    assert "validation loss swings" in found["Step size"].text


def test_a_loss_that_swings_only_while_the_rate_is_high_is_noted():
    rows = 20
    found = bad(verdict(history(rows, train=lambda p: alternating(rows, 0.3 if p < 0.6 else 0)(p)), HEALTHY))

    assert found["Step size"].level == "note"


def test_a_single_bad_batch_is_no_swing():
    assert not bad(verdict(history(12, train=lambda p: falling(p) * (3 if p == 0.5 else 1)), HEALTHY))


def test_a_steep_fall_is_no_swing():
    assert not bad(verdict(history(12, train=lambda p: 50 * math.exp(-30 * p) + 0.1), HEALTHY))


def test_a_loss_that_leaves_for_good_is_warned_of():
    found = bad(verdict(history(12, train=lambda p: falling(p) + 2 * max(0, p - 0.6)), HEALTHY))

    assert "rose again" in found["Step size"].text


def test_a_rising_validation_loss_that_costs_score_is_a_warning():
    found = bad(
        verdict(
            history(val=lambda p: falling(p) + max(0, p - 0.4), score=lambda p: rising(p) - 0.2 * max(0, p - 0.4)),
            HEALTHY,
        )
    )

    assert found["Overfitting"].level == "warning"
    assert "augment.rotate" in (found["Overfitting"].remedy or "")


def test_a_rising_validation_loss_at_a_steady_score_is_a_note():
    found = bad(verdict(history(val=lambda p: falling(p) + max(0, p - 0.4)), HEALTHY))

    assert found["Overfitting"].level == "note"


def test_both_losses_rising_is_not_called_overfitting():
    def up(p: float) -> float:
        return falling(p) + max(0, p - 0.6)

    assert "Overfitting" not in bad(verdict(history(train=up, val=up), HEALTHY))


def test_validation_better_than_training_is_no_fault():
    better = history(val=lambda p: 0.4 * falling(p), train_accuracy=lambda p: 0.7)

    assert not bad(verdict(better, HEALTHY))


@pytest.mark.parametrize(("gap", "level"), [(0.1, "note"), (0.25, "warning")])
def test_a_gap_in_accuracy_is_overfitting(gap, level):
    found = bad(verdict(history(train_accuracy=lambda p: 0.99, val_accuracy=lambda p: 0.99 - gap), HEALTHY))

    assert found["Overfitting"].level == level


def test_a_gap_is_seen_between_rows_without_an_accuracy():
    found = bad(
        verdict(
            history(train_accuracy=lambda p: 0.99 if round(12 * p) % 2 else None, val_accuracy=lambda p: 0.7), HEALTHY
        )
    )

    assert "Overfitting" in found


def test_an_accuracy_that_was_never_looked_at_is_no_gap():
    assert not bad(verdict(history(train_accuracy=lambda p: None), HEALTHY))


def test_both_poor_is_underfitting():
    poor = history(score=lambda p: 0.45, train_accuracy=lambda p: 0.78, val_accuracy=lambda p: 0.77)

    found = bad(verdict(poor, HEALTHY))

    assert found["Underfitting"].level == "warning"
    assert "model.base" in (found["Underfitting"].remedy or "")


def test_high_accuracy_that_only_calls_the_commonest_class_is_underfitting():
    poor = history(score=lambda p: 0.495, train_accuracy=lambda p: 0.99, val_accuracy=lambda p: 0.99)

    rare = scores(background={"pixels": 990_000}, crack={"pixels": 10_000, "iou": 0.6})

    assert "Underfitting" in bad(verdict(poor, rare))


def test_a_score_that_still_rises_asks_for_a_longer_training():
    found = bad(verdict(history(score=lambda p: 0.3 + 0.5 * p), HEALTHY))

    assert found["Length"].level == "note"
    assert "--epochs" in (found["Length"].remedy or "")


def test_the_best_score_being_the_last_does_not_alone_ask_for_more():
    assert not bad(verdict(history(score=lambda p: 0.8 + 0.05 * p), HEALTHY))


def test_no_validation_images_is_a_warning_that_says_how_to_have_some():
    found = bad(verdict(history(validated=False), None))

    assert set(found) == {"No score"}
    assert "--val" in (found["No score"].remedy or "")


def test_a_class_never_predicted_is_a_warning_and_an_absent_one_a_note():
    judged = scores(sky={}, tram={"pixels": 0, "predicted": 0}, pole={"predicted": 0, "iou": 0.0})

    found = bad(verdict(history(), judged))

    assert {name: finding.level for name, finding in found.items()} == {"Class pole": "warning", "Class tram": "note"}


@pytest.mark.parametrize(("precision", "recall", "said"), [(0.9, 0.3, "are missed"), (0.3, 0.9, "is something else")])
def test_a_weak_class_is_told_apart_by_what_is_wrong_with_it(precision, recall, said):
    found = bad(verdict(history(), scores(sky={}, pole={"iou": 0.3, "precision": precision, "recall": recall})))

    assert said in found["Class pole"].text


def test_the_worst_is_said_first():
    levels = [finding.level for finding in verdict(history(train=alternating(12, 0.25), score=lambda p: 0.3 + 0.5 * p))]

    assert levels == sorted(levels, key=["warning", "note", "good"].index)
    assert len(set(levels)) == 3


def test_every_setting_that_a_remedy_names_exists():
    seen = Fingerprint(
        train=9, val=1, test=0, channels=1, dtype="uint8", smallest=(64, 64), median=(64, 64), largest=(64, 64),
        low=0, high=255, mean=(9.0,), std=(9.0,), classes=("a", "b"), pixel_share=(0.5, 0.5), image_share=(1, 1),
        ignored_share=0,
    )  # fmt: skip
    known = decide(seen).keys()

    def rising_slowly(p: float) -> float:
        return 0.3 * p

    weak = scores(a={"predicted": 0}, b={"pixels": 0}, c={"iou": 0.1, "recall": 0.1})
    cases = [
        verdict(history(2, validated=False), None),
        verdict(history(train=alternating(12, 0.25), val=lambda p: falling(p) + p), weak),
        verdict(history(train=lambda p: p, score=rising_slowly, train_accuracy=lambda p: 0.4, val_accuracy=falling)),
    ]

    remedies = " ".join(finding.remedy or "" for findings in cases for finding in findings)

    named = set(re.findall(r"\b[a-z]+\.[a-z_]+\b", remedies)) - {"dataset.yaml"}
    assert len(named) >= 10
    assert not {name for name in named if not any(key == name or key.endswith(f".{name}") for key in known)}
