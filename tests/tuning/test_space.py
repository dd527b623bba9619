"""Spaces are checked before anything long begins, and what is drawn from them is what they say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.tuning.space import Dimension, Space, value_at


def test_keys_become_full_and_whole_settings_are_drawn_whole(plan, space):
    found = space.demanded(plan).dimensions

    assert list(found) == ["training.optimizer.lr", "sampling.batch", "training.ema"]
    assert found["training.optimizer.lr"].along == ("training.optimizer.side_lr",)
    assert [dimension.whole for dimension in found.values()] == [False, True, None]


def test_a_number_with_a_fraction_is_drawn_between_whole_ends(plan):
    found = Space.read({"augment.rotate": {"low": 0, "high": 90}}).demanded(plan)
    assert found.dimensions["augment.rotate"].whole is False


@pytest.mark.parametrize(
    ("key", "values", "told"),
    [
        ("optimizer.lrr", {"low": 0.1, "high": 1}, "Did you mean 'training.optimizer.lr'"),
        ("optimizer.lr", {"low": 0.1, "hgih": 1}, "Did you mean 'high'"),
        ("optimizer.lr", {"low": 0.1, "high": 1, "along": ["side_lrr"]}, "Did you mean"),
        ("optimizer.lr", {"low": 1, "high": 0.1}, "must be below high"),
        ("optimizer.lr", {"low": 0, "high": 0.1, "log": True}, "low must be above 0"),
        ("optimizer.lr", {"low": 0, "high": 0.1}, "holds 0.0, which the plan refuses"),
        ("optimizer.lr", {"low": 0.1}, "state low and high"),
        ("optimizer.lr", {"low": 0.1, "high": 1, "choices": [1, 2]}, "not both"),
        ("optimizer.lr", 0.1, "or a list of choices"),
        ("optimizer.lr", {"low": 0.1, "high": 1, "log": True, "step": 0.1}, "log and step"),
        ("optimizer.name", ["muon", "mugon"], "holds 'mugon', which the plan refuses"),
        ("loss.terms.dcie", {"low": 0.1, "high": 1}, "Did you mean 'dice'"),
        ("sampling.batch", {"low": 1.5, "high": 4}, "valid integer"),
        ("sampling.batch", {"low": 1, "high": 4, "step": 1.5}, "whole numbers only"),
        ("sampling.batch", [2], "nothing to search"),
        ("model.encoder.name", ["plain", "resnet3000"], "resnet3000"),
        ("augment.noise", {"low": 0.1, "high": 1, "along": ["augment.shear"]}, r"augment\.shear is 0"),
        ("optimizer.lr", {"low": 0.01, "high": 1, "along": ["optimizer.beta2"]}, r"training\.optimizer\.beta2"),
    ],
)
def test_what_does_not_fit_is_told_with_the_setting(plan, key, values, told):
    with pytest.raises(SettingError, match=told):
        Space.read({key: values}).demanded(plan)


def test_a_setting_is_searched_or_fixed_or_follows_another_but_once(plan):
    rates = {"low": 0.01, "high": 0.1}
    with pytest.raises(SettingError, match="searched as well"):
        Space.read({"optimizer.lr": rates}).demanded(plan, {"training.optimizer": {"lr": 1}})
    with pytest.raises(SettingError, match="twice"):
        Space.read({"optimizer.lr": rates, "training.optimizer.lr": rates}).demanded(plan)
    with pytest.raises(SettingError, match="would follow"):
        Space.read({"optimizer.lr": {**rates, "along": ["side_lr"]}, "side_lr": rates}).demanded(plan)


def test_an_empty_space_is_refused(tmp_path):
    (tmp_path / "space.yaml").write_text("{}")
    with pytest.raises(SettingError, match="names no setting"):
        Space.load(tmp_path / "space.yaml")


def test_a_file_says_numbers_as_people_write_them_and_is_read_again(plan, tmp_path):
    (tmp_path / "space.yaml").write_text(
        "optimizer.lr: {low: 1e-3, high: 3e-2, log: true, along: [optimizer.side_lr]}\n"
        "optimizer.weight_decay: [1e-4, 1e-2]\n"
        "augment.scale: [[0.9, 1.1], [0.5, 2.0]]\n"
    )
    space = Space.load(tmp_path / "space.yaml").demanded(plan)

    assert space.dimensions["training.optimizer.lr"].low == 1e-3
    assert space.dimensions["training.optimizer.weight_decay"].ends == (1e-4, 1e-2)
    space.save(tmp_path / "again.yaml")
    assert Space.load(tmp_path / "again.yaml") == space


def test_settings_in_proportion_keep_their_ratio(plan, space):
    found = space.demanded(plan).settings(plan, {"training.optimizer.lr": 0.04})

    assert found == {"training.optimizer.lr": 0.04, "training.optimizer.side_lr": 0.02}
    changed = plan.with_settings(found).training.optimizer
    assert changed.lr / changed.side_lr == plan.training.optimizer.lr / plan.training.optimizer.side_lr


def test_what_equals_the_plan_is_no_change(plan, space):
    space = space.demanded(plan)
    assert space.settings(plan, space.of(plan)) == {}


def test_the_plans_own_values_are_drawn_only_where_they_can_be(plan):
    space = Space.read({"optimizer.lr": {"low": 0.1, "high": 1}, "training.ema": [None, 0.99]}).demanded(plan)
    assert space.of(plan) == {"training.ema": "0.99"}


@given(st.integers(-3, 3), st.integers(1, 6), st.sampled_from([None, 1, 2, 0.5]), st.floats(-5, 12))
def test_a_value_is_held_if_counting_up_from_low_meets_it(low, span, step, value):
    """The slow twin counts; without steps it compares."""
    dimension = Dimension(low=low, high=low + span, step=step, whole=False)
    met = [low + i * step for i in range(100) if low + i * step <= low + span] if step else [value]

    assert dimension.holds(value) == (low <= value <= low + span and any(abs(value - m) < 1e-7 for m in met))
    assert all(dimension.holds(m) for m in met if step)


@given(st.floats(1e-6, 1), st.floats(1.01, 1e3), st.floats(0, 1))
def test_rounding_a_draw_never_leaves_the_range(low, factor, share):
    dimension = Dimension(low=low, high=low * factor, log=True)
    drawn = min(low * factor, max(low, low * factor**share))

    assert dimension.low <= dimension.value(drawn) <= dimension.high
    assert dimension.value(drawn) == pytest.approx(drawn, rel=1e-3)


def test_choices_of_every_kind_survive_as_text():
    dimension = Dimension(choices=(None, True, 2, 0.5, "muon", [0.5, 2.0], "1e-3"))
    assert [dimension.value(name) for name in dimension.names] == [None, True, 2, 0.5, "muon", [0.5, 2.0], 1e-3]
    assert dimension.holds([0.5, 2.0])
    assert json.loads(dimension.names[0]) is None


def test_the_value_at_a_key_is_plain(plan):
    assert value_at(plan, "sampling.crop") == [16, 16]
    assert value_at(plan, "loss.terms.dice") == 1.0
    assert value_at(plan, "loss.terms.focal") is None
