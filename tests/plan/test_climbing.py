"""The climb: the dearest network that the room allows, with few measurements."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.plan import climbing
from maskwright.plan.climbing import Candidate, Climb, Room
from maskwright.plan.costs import Cost


@pytest.fixture(autouse=True)
def _plans_say_their_estimate(monkeypatch):
    monkeypatch.setattr(climbing, "estimate", lambda plan: Cost(plan.guess, 0))


def climbed(true, guessed, needed, room):
    """The place of the chosen candidate, and the places that were measured."""
    candidates = [
        Candidate(str(i), SimpleNamespace(guess=g, place=i), n)
        for i, (g, n) in enumerate(zip(guessed, needed, strict=True))
    ]
    seen = []

    def measure(plan):
        seen.append(plan.place)
        return Cost(true[plan.place], 0)

    return int(Climb(room, measure, estimated=False).highest(candidates).name), seen


LADDERS = st.lists(st.floats(1.2, 4), min_size=1, max_size=6)


@given(LADDERS, st.floats(0.1, 30), st.floats(1, 1e4))
@settings(max_examples=200)
def test_with_estimates_off_by_one_factor_it_is_the_highest_allowed(rises, factor, seconds):
    guessed = [0.01]
    for rise in rises:
        guessed.append(guessed[-1] * rise)
    true = [factor * g for g in guessed]
    needed = [0] + [100 * (i + 1) for i in range(len(rises))]
    room = Room(seconds)
    place, seen = climbed(true, guessed, needed, room)
    allowed = [i for i in range(len(true)) if int(seconds / true[i]) >= needed[i]]
    assert place == max(allowed)
    assert len(seen) <= 4


@given(LADDERS, st.lists(st.floats(0.3, 3), min_size=7, max_size=7), st.floats(1, 1e4))
@settings(max_examples=200)
def test_however_far_off_the_estimates_are_what_is_chosen_was_measured_and_is_allowed(rises, errors, seconds):
    guessed = [0.01]
    for rise in rises:
        guessed.append(guessed[-1] * rise)
    true = [g * e for g, e in zip(guessed, errors, strict=False)]
    needed = [0] + [100 * (i + 1) for i in range(len(rises))]
    place, seen = climbed(true, guessed, needed, Room(seconds))
    assert place in seen
    assert int(seconds / true[place]) >= needed[place]


def test_a_number_of_steps_that_is_fixed_is_no_reason_for_a_network_that_needs_more():
    place, _ = climbed([0.01, 0.02, 0.03], [1, 2, 3], [0, 200, 500], Room(1e6, steps=300))
    assert place == 1
