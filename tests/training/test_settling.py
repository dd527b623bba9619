"""When a score has settled."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.settings import Budget, TrainingSettings
from maskwright.training.loop import fit
from maskwright.training.settling import FEWEST, RISE, falling_steps, settled, smoothed
from maskwright.training.validation import ValidationScore


def validations_until_settled(curve, noise=0.0):
    rng = random.Random(1)
    scores = []
    while not settled(scores):
        scores.append(curve(len(scores)) + rng.gauss(0, noise))
        assert len(scores) < 2000
    return len(scores)


def test_a_score_that_rises_all_the_time_has_not_settled():
    assert not any(settled([0.01 * i for i in range(n)]) for n in range(100))


def test_a_flat_score_has_settled_as_soon_as_anything_is_said():
    assert validations_until_settled(lambda i: 0.5) == FEWEST


@pytest.mark.parametrize("noise", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("slowness", [3, 10, 30])
def test_a_curve_that_bends_is_followed_until_it_is_nearly_flat(slowness, noise):
    """A slow curve is given more time than a quick one, and little is left to win."""
    stop = validations_until_settled(lambda i: 0.8 * (1 - 2 ** (-i / slowness)), noise)

    assert 2 ** (-stop / slowness) < 0.05
    assert stop < 9 * slowness + 2 * FEWEST


def test_a_dip_is_no_end():
    scores = [0.1 * i for i in range(8)] + [0.5, 0.45, 0.75, 0.85, 0.9, 0.95]
    assert not any(settled(scores[:n]) for n in range(len(scores) + 1))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_smoothing_stays_between_lowest_and_highest_and_begins_with_the_first(scores):
    found = smoothed(scores)
    assert found[0] == pytest.approx(scores[0])
    assert min(scores) - 1e-9 <= min(found) <= max(found) <= max(scores) + 1e-9


def test_training_ends_by_itself_and_the_rate_falls_before_it_does(job_of, listeners):
    job = job_of(
        training__budget={"settled": True, "steps": None}, validation__every=5, schedule__warmup=0.02,
        optimizer__lr=0.01,
    )  # fmt: skip
    scores = iter([0.1 * i for i in range(6)] + [0.5] * 100)
    job.validation = lambda network, device: ValidationScore(1.0, next(scores), 0.5)
    watch = listeners.Watches(job)
    notes = []
    watch.noted = notes.append
    outcome = fit(job, [watch])

    open_steps = next(news.step for news in watch.news if news.total is not None) - 1
    assert outcome.steps == open_steps + falling_steps(open_steps)
    assert outcome.reason == "the score has settled"
    assert f"step {open_steps}" in notes[0]
    rates = {row.step: row.rate for row in watch.rows}
    assert rates[open_steps] == pytest.approx(0.01)
    assert rates[outcome.steps] < 0.001
    assert list(rates) == [*range(5, outcome.steps, 5), outcome.steps]


def test_a_training_without_an_end_is_resumed_bit_for_bit(job_of, listeners):
    changes = {
        "training__budget": {"settled": True, "steps": None}, "validation__every": 3, "schedule__warmup": 0.01,
        "training__checkpoint_seconds": 0,
    }  # fmt: skip

    def job(run):
        made = job_of(run, **changes)
        real = made.validation
        # Rises by a tenth each time, then stands still; a function of the count alone would not be resumed.
        made.validation = lambda network, device: ValidationScore(
            real(network, device).loss, min(0.5, 0.001 * float(next(network.parameters()).numel())), 0.5
        )
        return made

    whole = fit(job("whole"))
    stopped = whole.steps // 2
    with pytest.raises(listeners.Killed):
        fit(job("killed"), [listeners.DiesAfter(stopped)])
    resumed = fit(job("killed"), resume=True)

    assert resumed.steps == whole.steps
    assert all((resumed.weights[name] == tensor).all() for name, tensor in whole.weights.items())


def test_it_takes_a_schedule_that_falls_and_no_stages():
    with pytest.raises(ValueError, match="until the score has settled"):
        TrainingSettings(budget=Budget(settled=True))
    assert RISE > 0
