import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.settings import ScheduleSettings
from maskwright.training.schedules import rate

schedules = st.builds(
    ScheduleSettings,
    name=st.sampled_from(["onecycle", "cosine", "constant"]),
    warmup=st.floats(0, 0.99),
    first=st.floats(0, 1),
    last=st.floats(0, 1),
)


@given(schedule=schedules, progress=st.floats(0, 1.1))
def test_a_rate_is_a_share_of_the_top(schedule, progress):
    assert -1e-12 <= rate(schedule, progress) <= 1 + 1e-12


@given(schedule=schedules)
def test_every_schedule_ends_where_it_should(schedule):
    end = 1.0 if schedule.name == "constant" else schedule.last

    assert rate(schedule, 1.0) == pytest.approx(end)
    assert rate(schedule, 1.01) == pytest.approx(end)


@given(schedule=schedules)
def test_every_schedule_starts_where_it_should(schedule):
    rises = schedule.name == "onecycle" and schedule.warmup > 0

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
    schedule = ScheduleSettings(name="cosine", last=last)
    down = [rate(schedule, i / 50) for i in range(51)]

    assert down == sorted(down, reverse=True)
    assert rate(schedule, 0.5) == pytest.approx((1 + last) / 2)


@given(schedule=schedules.filter(lambda s: 0.05 < s.warmup < 0.95), progress=st.floats(0, 1))
def test_no_schedule_jumps(schedule, progress):
    """A cosine is nowhere steeper than π/2 over its length, and no length here is under 0.05."""
    assert abs(rate(schedule, progress) - rate(schedule, progress + 1e-4)) < 1.6 * 1e-4 / 0.05


def test_without_warm_up_one_cycle_is_the_cosine():
    one = ScheduleSettings(warmup=0, last=0.1)
    for i in range(11):
        assert rate(one, i / 10) == pytest.approx(rate(ScheduleSettings(name="cosine", last=0.1), i / 10))
