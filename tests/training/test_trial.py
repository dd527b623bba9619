"""A trial: real steps, and what they cost."""

import resource

import pytest
import torch

from maskwright import api
from maskwright.plan import Plan
from maskwright.training.trial import trial


@pytest.fixture
def plan_of(discs, tiny):
    def build(**settings):
        named = {key.replace("__", "."): value for key, value in settings.items()}
        return api.plan(discs, device="cpu", settings={**tiny, "device.threads": 1, **named})

    return build


def test_wider_networks_cost_more_time_and_larger_crops_more_memory(plan_of):
    small, wide = (trial(plan_of(model__base=base, sampling__crop=[64, 64]), 0.3) for base in (4, 48))
    assert 0 < small.seconds < wide.seconds
    assert small.bytes < trial(plan_of(model__base=4, sampling__crop=[256, 256]), 0.1).bytes


def test_memory_is_about_what_the_process_comes_to_take(plan_of):
    """To a factor of two of what is added, with the libraries' own share left out."""
    plan = plan_of(model__base=16, sampling__crop=[256, 256], sampling__batch=4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = trial(plan, 0.1)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    added = found.bytes - trial(plan_of(model__base=2, sampling__crop=[16, 16]), 0.1).bytes
    # Other tests of this process may have taken the memory before: then nothing is added here.
    assert grown < 2 * added
    assert added > 100e6


@pytest.mark.parametrize(
    "settings",
    [
        {"loss__border": {"w0": 5.0}},
        {"model__deep_supervision": True},
        {"optimizer__name": "adamw", "optimizer__clip": 1.0},
        {"device__channels_last": True},
    ],
    ids=str,
)
def test_any_plan_can_be_tried_and_what_is_random_elsewhere_stays_as_it_was(settings, plan_of):
    plan = plan_of(**settings)
    assert isinstance(plan, Plan)
    assert trial(plan, 0.01).seconds > 0


def test_a_plan_is_decided_by_measuring_when_a_person_asks_for_one(discs):
    plan = api.plan(discs, minutes=0.2, device="cpu", settings={"device.threads": 1})
    assert plan.measured
    assert not any(one.estimated for one in plan.measured)
    assert torch.get_num_threads() >= 1


def test_what_is_elsewhere_is_estimated(discs):
    from maskwright.devices import elsewhere

    plan = api.plan(discs, device=elsewhere("gpu"))
    assert all(one.estimated for one in plan.measured) or torch.cuda.is_available()
    assert plan.device.accelerator != "cpu"
