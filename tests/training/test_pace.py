import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.settings import Budget, ScheduleSettings, TrainingSettings, ValidationSettings
from maskwright.training.pace import Clock, Pace, pace_of


@given(total=st.integers(1, 500))
def test_progress_counts_steps_exactly(total):
    pace = Pace(total)

    seen = []
    while not pace.done:
        seen.append(pace.progress)
        pace.step += 1

    assert seen == [i / total for i in range(total)]
    assert pace.progress == 1


@given(total=st.integers(1, 200), changes=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 300)), max_size=6))
def test_progress_goes_on_from_where_it_was_and_ends_at_one(total, changes):
    """Whatever the number of steps left is corrected to, and however often."""
    pace = Pace(total)
    before = 0.0
    for steps, left in changes:
        for _ in range(min(steps, pace.total - pace.step)):
            pace.step += 1
            assert pace.progress >= before
            before = pace.progress
        if pace.done:
            break
        pace.resize(left)
        assert pace.progress == pytest.approx(before, abs=1e-12)
        assert pace.total == pace.step + left
    while not pace.done:
        pace.step += 1
        assert before <= pace.progress <= 1
        before = pace.progress
    assert pace.progress == pytest.approx(1, abs=1e-12)


def test_after_a_correction_the_rest_is_evenly_spread():
    pace = Pace(100, step=50)
    pace.resize(10)
    pace.step += 5

    assert pace.progress == pytest.approx(0.75)


def test_with_no_step_left_the_pace_is_done():
    pace = Pace(100, step=50)
    pace.resize(0)
    assert pace.done
    pace.resize(-3)
    assert pace.done


@given(total=st.integers(1, 200), step=st.integers(0, 100), left=st.integers(0, 100))
def test_a_pace_comes_back_from_a_checkpoint(total, step, left):
    pace = Pace(total, step=min(step, total))
    pace.resize(left)

    assert Pace(**pace.state()) == pace


def of(steps_per_epoch, **budget):
    """The pace of a training with that budget."""
    settings = TrainingSettings(
        budget=Budget(**budget), schedule=ScheduleSettings(warmup=0.2), validation=ValidationSettings(every=10)
    )
    return pace_of(settings, steps_per_epoch)


def test_with_an_open_end_the_pace_rises_to_the_top_of_the_schedule_and_stays_there_until_it_is_closed():
    pace = of(10, settled=True)
    seen = []
    for _ in range(1000):
        seen.append(pace.progress)
        pace.step += 1
        assert not pace.done
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[100] == pytest.approx(0.1)
    assert seen[200:] == [0.2] * 800

    assert Pace(**pace.state()) == pace
    pace.resize(300)
    assert pace.progress == pytest.approx(0.2)
    pace.step += 150
    assert pace.progress == pytest.approx(0.6)
    pace.step += 150
    assert pace.done


def test_a_budget_gives_the_number_of_steps():
    assert of(10, steps=77).total == 77
    assert of(10, epochs=3).total == 30
    assert of(10, epochs=0.25).total == 2
    assert of(10, epochs=0.001).total == 1


class Machine:
    """A training as the loop runs it, in pretended time: each thing takes as long as it is told to."""

    def __init__(self, seconds, step, *, validation=0.0, checkpoint=0.0, started_late=0.0, times=6):
        self.time = 1000.0
        self.seconds, self.times = seconds, times
        self.step, self.validation, self.checkpoint = step, validation, checkpoint
        self.clock = Clock(seconds, used_before=started_late, now=lambda: self.time)
        self.pace = of(100, minutes=seconds / 60)
        self.validations = 0

    def run(self):
        clock, pace = self.clock, self.pace
        saved_at = clock.elapsed
        over = False
        while not over:
            self.time += self.step(pace.step)
            pace.step += 1
            clock.tick()
            over = pace.done or clock.is_over()
            if over or pace.progress * self.times >= self.validations + 1 - 1e-9:
                before = clock.elapsed
                self.time += self.validation
                self.validations = max(self.validations + 1, int(pace.progress * self.times))
                clock.validation_seconds = clock.elapsed - before
                clock.rest()
            if over or clock.elapsed - saved_at >= 60:
                self.time += self.checkpoint
                saved_at = clock.elapsed
                clock.rest()
            if pace.step % 10 == 1 and not over and clock.correct(pace, self.times - self.validations):
                clock.rest()
        return self


@given(
    seconds=st.sampled_from([60, 120, 300, 3600]),
    share=st.floats(1e-4, 0.01),
    spread=st.floats(0, 0.5),
    validation=st.floats(0, 0.05),
    late=st.floats(0, 0.3),
    seed=st.integers(0, 999),
)
def test_the_budget_is_kept_and_used_on_machines_of_every_speed(seconds, share, spread, validation, late, seed):
    """Steps of 1/10,000 to 1/100 of the budget, half as long or as long again, and six validations of up to 1/20."""
    rng = random.Random(seed)
    share = max(share, 2e-4 if seconds <= 300 else 2e-3)  # a simulated hour of tiny steps takes too long
    machine = Machine(
        seconds,
        lambda _: seconds * share * rng.uniform(1 - spread, 1 + spread),
        validation=seconds * validation,
        started_late=seconds * late,
    ).run()

    assert machine.clock.elapsed <= seconds
    assert machine.clock.elapsed >= 0.9 * seconds
    assert machine.validations == machine.times
    assert machine.pace.progress > 0.9  # the last two or three uneven steps may not fit


@pytest.mark.parametrize(
    "slower",
    [lambda t: 1 + t / 40, lambda t: max(0.3, 1 - t / 400), lambda t: 3 if 100 < t < 300 else 1],
    ids=["ever slower", "ever faster", "disturbed for a while"],
)
def test_the_budget_is_kept_when_the_machine_changes_its_speed(slower):
    machine = Machine(120, lambda step: 0.15 * slower(step), validation=3.0, checkpoint=0.3).run()

    assert 0.9 * 120 <= machine.clock.elapsed <= 120
    assert machine.pace.progress > 0.9


def test_single_long_stops_do_not_break_the_budget():
    machine = Machine(120, lambda step: 4.0 if step % 97 == 50 else 0.1, validation=2.0).run()

    assert 0.9 * 120 <= machine.clock.elapsed <= 120


def test_a_machine_so_slow_that_nothing_can_be_measured_still_stops_in_time():
    machine = Machine(60, lambda _: 7.0, validation=0.1).run()

    assert machine.pace.step <= 9
    assert machine.clock.elapsed <= 60 + 7


@pytest.mark.parametrize(("off", "corrected"), [(0.9, True), (0.97, True), (0.99, False), (1.01, False), (1.1, True)])
def test_two_in_a_hundred_are_left_alone(off, corrected):
    """A schedule that is resized at every look would follow the noise of the measurement."""
    time = 0.0
    clock = Clock(1000, now=lambda: time)
    for _ in range(20):
        time += 1.0
        clock.tick()
    fitting = 978  # 1000, less the 20 gone, 1.5 for the model file and half a step
    pace = Pace(20 + round(off * fitting), step=20)

    assert clock.correct(pace, 1) == corrected
    assert pace.total == 20 + (fitting if corrected else round(off * fitting))


def test_time_for_the_validations_to_come_is_kept():
    time = 0.0
    clock = Clock(1000, now=lambda: time, validation_seconds=100)
    for _ in range(20):
        time += 1.0
        clock.tick()
    pace = Pace(10_000, step=20)

    clock.correct(pace, 3)

    assert pace.total == 20 + 978 - 2 * 100 - 125  # the last with a quarter to spare


def test_without_minutes_nothing_looks_at_the_clock():
    clock = Clock(None, now=iter(range(10**6)).__next__)
    pace = Pace(100)
    for _ in range(50):
        pace.step += 1
        clock.tick()
        assert not clock.correct(pace, 6)
        assert not clock.is_over()

    assert pace == Pace(100, step=50)


def test_what_is_no_step_is_not_counted_as_one():
    time = 0.0
    clock = Clock(60, now=lambda: time)
    for step in range(30):
        time += 0.5
        clock.tick()
        if step % 5 == 0:
            time += 20
            clock.rest()

    assert clock.step_seconds == pytest.approx(0.5)


def test_the_first_steps_are_not_measured():
    time = 0.0
    clock = Clock(60, now=lambda: time)
    for step in range(20):
        time += 9.0 if step < 3 else 0.1
        clock.tick()
        assert (clock.step_seconds is None) == (step < 10)

    assert clock.step_seconds == pytest.approx(0.1)


def test_time_used_before_a_restart_counts():
    time = 50.0
    clock = Clock(60, used_before=40.0, now=lambda: time)
    time += 5

    assert clock.elapsed == 45
    assert not clock.is_over()
    time += 14
    assert clock.is_over()
