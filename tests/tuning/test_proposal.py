"""The space that is searched unless another is given."""

import pytest

from maskwright import api, recipes
from maskwright.errors import SettingError
from maskwright.model.cost import cost
from maskwright.tuning.proposal import COST, proposed


def test_every_value_of_the_plan_can_be_drawn_and_the_plan_takes_every_end(plan):
    free = plan.with_settings({"training.budget": {"epochs": 3}})
    space = proposed(free)

    assert {"training.optimizer.lr", "training.ema", "sampling.batch", "loss.terms.dice"} <= set(space.dimensions)
    assert set(space.demanded(free).of(free)) == set(space.dimensions)


@pytest.mark.parametrize("recipe", [recipe.name for recipe in recipes.recipes()])
def test_there_is_a_space_around_every_recipe(discs, recipe):
    pytest.importorskip("timm")
    followed = api.plan(discs, recipe=recipe, device="cpu")
    space = proposed(followed).demanded(followed)

    assert set(space.of(followed)) == set(space.dimensions)


def test_side_lr_goes_along_with_muon_only(plan):
    assert proposed(plan).dimensions["training.optimizer.lr"].along == ("training.optimizer.side_lr",)
    other = plan.with_settings({"training.optimizer.name": "adamw"})
    assert proposed(other).dimensions["training.optimizer.lr"].along == ()


@pytest.mark.parametrize("fixed", ["optimizer.lr", "training.optimizer.lr", "training.optimizer"])
def test_what_is_fixed_is_not_searched(plan, fixed):
    assert "training.optimizer.lr" not in proposed(plan, [fixed]).dimensions


def test_what_is_fixed_does_not_go_along_either(plan):
    assert proposed(plan, ["side_lr"]).dimensions["training.optimizer.lr"].along == ()


def test_if_all_is_fixed_there_is_nothing_to_search(plan):
    with pytest.raises(SettingError, match="--space"):
        proposed(plan, ["training.optimizer", "training.ema", "augment", "loss", "sampling", "model"])


def test_a_larger_batch_is_no_setting_where_steps_are_the_budget(plan):
    assert "sampling.batch" not in proposed(plan).dimensions


def test_wider_and_deeper_networks_keep_within_the_cost(plan):
    large = plan.with_settings({"model.base": 32, "model.depth": 3, "sampling.crop": [128, 128]})
    most = COST * cost(large.model, (128, 128)).multiply_adds
    found = proposed(large).dimensions

    for key in ("model.base", "model.depth"):
        assert len(found[key].ends) > 1
        for value in found[key].ends:
            assert cost(large.with_settings({key: value}).model, (128, 128)).multiply_adds <= most
    assert 48 not in found["model.base"].ends
    assert max(found["model.base"].ends) > 32


def test_stages_with_rates_of_their_own_leave_no_rate_to_search(plan):
    staged = plan.with_settings({"training.stages": [{"epochs": 1, "lr": 0.01}]})
    assert "training.optimizer.lr" not in proposed(staged).dimensions
