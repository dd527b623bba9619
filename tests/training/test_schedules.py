import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.settings import ScheduleSettings
from maskwright.training.schedules import Plateau, momentum, rate

schedules = st.builds(
    ScheduleSettings,
    name=st.sampled_from(["onecycle", "cosine", "polynomial", "plateau", "constant"]),
    warmup=st.floats(0, 0.99),
    first=st.floats(0, 1),
    last=st.floats(0, 1),
    power=st.floats(0.5, 4),
)
MOVING = {"onecycle", "cosine", "polynomial"}


@given(schedule=schedules, progress=st.floats(0, 1.1))
def test_a_rate_is_a_share_of_the_top(schedule, progress):
    assert -1e-12 <= rate(schedule, progress) <= 1 + 1e-12


@given(schedule=schedules)
def test_every_schedule_ends_where_it_should(schedule):
    end = schedule.last if schedule.name in MOVING else 1.0

    assert rate(schedule, 1.0) == pytest.approx(end)
    assert rate(schedule, 1.01) == pytest.approx(end)


@given(schedule=schedules)
def test_every_schedule_starts_where_it_should(schedule):
    rises = schedule.name in MOVING and schedule.warmup > 0

    assert rate(schedule, 0.0) == pytest.approx(schedule.first if rises else 1.0)


@given(warmup=st.floats(0.01, 0.99), first=st.floats(0, 0.99), last=st.floats(0, 0.99))
def test_one_cycle_rises_to_the_top_and_falls_from_it(warmup, first, last):
    schedule = ScheduleSettings(warmup=warmup, first=first, last=last)
    up = [rate(schedule, warmup * i / 50) for i in range(51)]
    down = [rate(schedule, warmup + (1 - warmup) * i / 50) for i in range(51)]

    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert max(up) == pytest.approx(1)
    assert max(down) == pytest.approx(1)


@given(last=st.floats(0, 0.99))
def test_cosine_only_falls_and_is_half_way_down_in_the_middle(last):
    schedule = ScheduleSettings(name="cosine", last=last, warmup=0)
    down = [rate(schedule, i / 50) for i in range(51)]

    assert down == sorted(down, reverse=True)
    assert rate(schedule, 0.5) == pytest.approx((1 + last) / 2)


@given(schedule=schedules.filter(lambda s: 0.05 < s.warmup < 0.95), progress=st.floats(0, 1))
def test_no_schedule_jumps(schedule, progress):
    """A cosine is nowhere steeper than π/2 over its length, a power than itself, and no length here is under 0.05."""
    assume(schedule.name != "polynomial" or schedule.power >= 1)  # a root ends steep
    steepest = max(1.6, schedule.power) / 0.05
    assert abs(rate(schedule, progress) - rate(schedule, progress + 1e-4)) < steepest * 1e-4


def test_without_warm_up_one_cycle_is_the_cosine():
    one = ScheduleSettings(warmup=0, last=0.1)
    for i in range(11):
        assert rate(one, i / 10) == pytest.approx(rate(one.with_settings({"name": "cosine"}), i / 10))


def test_cosine_and_polynomial_warm_up_by_a_line():
    for name in ("cosine", "polynomial"):
        schedule = ScheduleSettings(name=name, warmup=0.2, first=0.5)
        assert [rate(schedule, p) for p in (0.0, 0.05, 0.1, 0.2)] == pytest.approx([0.5, 0.625, 0.75, 1.0])


def test_the_polynomial_by_hand():
    schedule = ScheduleSettings(name="polynomial", warmup=0, last=0, power=0.9)
    assert [rate(schedule, p) for p in (0, 0.5, 0.75, 1)] == pytest.approx([1, 0.5**0.9, 0.25**0.9, 0])
    square = ScheduleSettings(name="polynomial", warmup=0.5, last=0.2, power=2)
    assert rate(square, 0.75) == pytest.approx(0.2 + 0.8 * 0.25)


def test_momentum_goes_down_while_the_rate_goes_up():
    schedule = ScheduleSettings(warmup=0.4, low_momentum=0.85)
    found = [momentum(schedule, p, top=0.95) for p in (0, 0.2, 0.4, 0.7, 1)]

    assert found == pytest.approx([0.95, 0.9, 0.85, 0.9, 0.95])


@given(progress=st.floats(0, 1), top=st.floats(0, 0.99))
def test_momentum_that_is_not_cycled_is_the_top_itself(progress, top):
    assert momentum(ScheduleSettings(), progress, top) == top


def test_a_plateau_by_hand():
    """Two validations without a better loss, and the rate is halved; then the count begins anew."""
    settings = ScheduleSettings(name="plateau", factor=0.5, patience=2)
    plateau = Plateau()
    losses = [3.0, 2.0, 2.0, 2.5, 1.9, 2.0, 1.8, 1.9, math.nan, 1.8, 1.8, 1.0]
    shares = []
    for loss in losses:
        plateau.saw(loss, settings)
        shares.append(plateau.share)

    assert shares == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    assert (plateau.best, plateau.waits) == (1.0, 0)
