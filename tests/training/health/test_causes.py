"""The causes over evidence that is written down by hand: when they speak, and when they hold their tongue."""

import pytest

from maskwright.data.dataset import Sampling
from maskwright.model import UNetRecord
from maskwright.settings import Budget, OptimizerSettings, TrainingSettings
from maskwright.training.health import Seen, Setup
from maskwright.training.health.registry import examine
from maskwright.training.health.seen import MOST_WINDOWS, Validated, Window

TRAINING = TrainingSettings(budget=Budget(steps=1000), optimizer=OptimizerSettings(lr=1e-3))
SETUP = Setup(
    UNetRecord(in_channels=1, classes=3, depth=2, base=4), Sampling(crop=(16, 16), batch=4), TRAINING, "32-true", True,
    classes=("background", "cell", "rim"), validation_images=9,
)  # fmt: skip


def stepped(losses, moved=0.005, weights=None, rate=1e-3):
    """What was seen of a training with these losses, ten steps each."""
    weights = weights or [10.0] * len(losses)
    seen = Seen(SETUP)
    for i, (loss, length) in enumerate(zip(losses, weights, strict=True), start=1):
        seen.add(Window(10 * i, i / len(losses), rate, loss, loss, loss, 1.0, moved, length, (), 8))
    return seen


def validated(losses, scores, train=None, said=(60, 30, 10), true=(60, 30, 10), accuracy=0.9, ended=False):
    """What was seen of a training with these validations, a hundred steps apart."""
    train = train or [1.0] * len(losses)
    seen = Seen(SETUP, ended=ended)
    for i, (loss, score, learnt) in enumerate(zip(losses, scores, train, strict=True), start=1):
        hit = [min(a, b) for a, b in zip(said, true, strict=True)]
        seen.validations.append(
            Validated(100 * i, i / len(losses), learnt, accuracy, loss, accuracy, score, list(true), list(said), hit)
        )
    return seen


def codes(seen, moment):
    return {finding.code for finding in examine(seen, moment)}


FALLS = [2.0, 1.5, 1.2, 1.1, 1.0, 0.9, 0.9, 0.8]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (stepped(FALLS), set()),
        (stepped([*FALLS, 2.2]), set()),  # ten bad steps are no trend
        (stepped([*FALLS, 2.6, 2.7]), {"rate-too-high"}),
        (stepped([0.02, 0.01, 0.001, 0.003, 0.004]), set()),  # three times nearly nothing
        (stepped([1.0, 1.3, 1.2, 1.3], moved=0.1), {"rate-too-high"}),
        (stepped([1.0, 1.3, 1.2, 1.3], moved=0.01), set()),  # a hard set, not large steps
        (stepped([1.0, 0.9, 0.8, 0.7], moved=0.1), set()),  # large steps that learn
        (stepped([1.0, 0.9, 0.8, 0.7], moved=0.1, weights=[10.0, 20, 30, 40]), {"rate-too-high"}),
        (stepped([1.0, 0.99, 0.99, 0.98], moved=1e-5), {"rate-too-low"}),
        (stepped([1.0, 0.99, 0.99, 0.98], moved=1e-5, rate=1e-4), set()),  # warming up, or cooled down
        (stepped([1.0, 0.99, 0.99, 0.98], moved=1e-3), set()),  # hard to learn
        (stepped([1.0, 0.8, 0.7, 0.6], moved=1e-5), set()),  # little is enough
        (stepped([1.0, 0.99, 0.99], moved=1e-5), set()),  # too early to say
    ],
)
def test_a_rate_is_called_too_high_or_too_low_by_what_it_does(seen, told):
    assert codes(seen, "steps") == told


RISING = [1.0, 0.6, 0.5, 0.55, 0.65, 0.75]
GAINED = [0.3, 0.5, 0.6, 0.6, 0.56, 0.55]
LEARNT = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (validated(LEARNT, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]), set()),
        (validated(RISING, GAINED, LEARNT), {"overfitting"}),
        (validated(RISING, GAINED), set()),  # nothing is learnt by heart
        (validated(RISING, [0.3, 0.5, 0.6, 0.61, 0.6, 0.61], LEARNT), set()),  # it costs nothing
        (validated(RISING, [0.3, 0.5, 0.6, 0.62, 0.64, 0.65], LEARNT), {"overconfident"}),
        (validated(LEARNT, [0.3, 0.5, 0.6, 0.55, 0.5, 0.5]), {"score-falls-with-loss"}),
        (validated(LEARNT, [0.3, 0.5, 0.6, 0.59, 0.58, 0.6]), set()),
        (validated([0.5, 0.9, 0.9], [0.6, 0.5, 0.5], [1.0, 0.5, 0.3]), set()),  # too early to say
        (validated(LEARNT, [0.3] * 6, said=(100, 0, 0), accuracy=0.6), {"one-class-only"}),
        (validated(LEARNT, [0.3] * 6, said=(100, 0, 0), accuracy=0.7), set()),  # the mean of the weights lags
        (validated(LEARNT, [0.3] * 6, said=(100, 0, 0), true=(100, 0, 0)), set()),  # there is but one
        (validated(LEARNT[:4], [0.3] * 4, said=(100, 0, 0), accuracy=0.6), {"one-class-only"}),
        (validated(LEARNT[:3], [0.3] * 3, said=(100, 0, 0), accuracy=0.6), set()),  # the first half
        (validated(LEARNT * 2, [0.5] * 12, said=(60, 40, 0)), {"class-never-predicted"}),
        (validated(LEARNT, [0.5] * 6, said=(60, 40, 0)), set()),  # rare ones come late
    ],
)
def test_what_validations_show_is_told_apart(seen, told):
    assert codes(seen, "validation") == told


def test_at_the_end_the_last_validation_alone_says_which_classes_are_missing_and_what_was_not_learnt():
    poor = validated([1.0, 0.9], [0.2, 0.2], said=(100, 0, 0), accuracy=0.6, ended=True)
    good = validated([1.0, 0.4], [0.5, 0.8], ended=True)

    assert codes(poor, "end") == {"one-class-only", "underfitting"}
    assert codes(good, "end") == set()


def test_after_few_steps_what_is_not_learnt_is_only_noted():
    early = validated([1.0, 0.9], [0.2, 0.2], said=(100, 0, 0), accuracy=0.6, ended=True)
    late = validated([1.0] * 6, [0.2] * 6, said=(100, 0, 0), accuracy=0.6, ended=True)

    assert {finding.severity for finding in examine(early, "end")} == {"note"}
    assert {finding.severity for finding in examine(late, "end")} == {"warning"}


def test_the_classes_are_called_by_their_names_and_weighed_by_the_root_of_their_shares():
    (finding,) = examine(validated(LEARNT * 2, [0.5] * 12, said=(60, 40, 0), true=(64, 32, 4)), "validation")

    assert "rim (4 pixels)" in finding.title
    raw = [(100 / n) ** 0.5 for n in (64, 32, 4)]
    mean = sum(w * n for w, n in zip(raw, (64, 32, 4), strict=True)) / 100
    assert f"[{','.join(f'{w / mean:.3g}' for w in raw)}]" in finding.remedy


def test_however_long_the_training_the_evidence_stays_small_and_keeps_its_ends():
    seen = stepped([float(i) for i in range(3 * MOST_WINDOWS)])

    assert len(seen.windows) <= MOST_WINDOWS
    assert seen.windows[0].low == 0.0
    assert seen.windows[-1].high == 3 * MOST_WINDOWS - 1
    assert seen.steps == 30 * MOST_WINDOWS
    steps = [window.step for window in seen.windows]
    assert steps == sorted(steps)


def test_the_evidence_is_the_same_after_it_was_saved():
    for seen in (stepped(FALLS), validated(RISING, GAINED)):
        again = Seen(SETUP)
        again.restore(seen.state())
        assert (again.windows, again.validations) == (seen.windows, seen.validations)
