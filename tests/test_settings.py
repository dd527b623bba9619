import pytest

from maskwright.errors import SettingError
from maskwright.settings import (
    Budget,
    OptimizerSettings,
    ScheduleSettings,
    Stage,
    TrainingSettings,
    ValidationSettings,
)


@pytest.mark.parametrize("parts", [{}, {"epochs": 2, "minutes": 3}, {"epochs": 1, "steps": 1}])
def test_exactly_one_budget_is_stated(parts):
    with pytest.raises(SettingError, match="exactly one of epochs, minutes, steps and settled"):
        Budget.read(parts)


@pytest.mark.parametrize("parts", [{"epochs": 0}, {"minutes": -1}, {"steps": 0}, {"epochs": "inf"}, {"minutes": "nan"}])
def test_a_budget_is_a_number_above_zero(parts):
    with pytest.raises(SettingError, match=f"{next(iter(parts))} in "):
        Budget.read(parts)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"epochs": 1}, "1 epoch"),
        ({"epochs": 12}, "12 epochs"),
        ({"minutes": 2.5}, "2.5 minutes"),
        ({"minutes": 1}, "1 minute"),
        ({"steps": 1_234_567}, "1234567 steps"),
    ],
)
def test_a_budget_reads_as_one_would_say_it(parts, text):
    assert str(Budget(**parts)) == text


@pytest.mark.parametrize(
    ("record", "values"),
    [
        (OptimizerSettings, {"name": "lion"}),
        (OptimizerSettings, {"lr": 0}),
        (OptimizerSettings, {"weight_decay": -1}),
        (OptimizerSettings, {"momentum": 1}),
        (OptimizerSettings, {"beta2": 0}),
        (OptimizerSettings, {"clip": 0}),
        (ScheduleSettings, {"warmup": 1}),
        (ScheduleSettings, {"last": 1.5}),
        (ScheduleSettings, {"low_momentum": 0}),
        (ScheduleSettings, {"power": 0}),
        (ScheduleSettings, {"factor": 1}),
        (ScheduleSettings, {"patience": 0}),
        (OptimizerSettings, {"front": 0}),
        (OptimizerSettings, {"front": 1.5}),
        (Stage, {"epochs": 0}),
        (Stage, {"epochs": 1, "lr": 0}),
        (Stage, {"epochs": 1, "front": 2}),
        (ValidationSettings, {"keep": "accuracy"}),
        (ValidationSettings, {"times": 0}),
        (ValidationSettings, {"patience": 0}),
        (TrainingSettings, {"budget": {"epochs": 1}, "ema": 1}),
        (TrainingSettings, {"budget": {"epochs": 1}, "checkpoint_seconds": -1}),
    ],
)
def test_a_value_that_does_not_fit_is_named(record, values):
    with pytest.raises(SettingError, match=f"{list(values)[-1]} in these settings"):
        record.read(values)


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(SettingError, match=r"'budget.epoch'.*Did you mean 'budget.epochs'"):
        TrainingSettings.read({"budget": {"epoch": 1}})


def test_settings_come_back_from_a_file_as_they_were(tmp_path):
    record = TrainingSettings(budget=Budget(minutes=2), ema=None, optimizer=OptimizerSettings(name="muon", clip=1))

    assert TrainingSettings.load(record.save(tmp_path / "training.yaml")) == record
    assert TrainingSettings.load(record.save(tmp_path / "training.json")) == record


def test_off_is_none():
    record = TrainingSettings(budget=Budget(epochs=1))

    assert record.with_settings({"ema": "null"}).ema is None
    assert record.optimizer.clip is None
    assert record.validation.patience is None


def test_momentum_is_cycled_by_one_cycle_alone_and_downwards():
    with pytest.raises(SettingError, match="low_momentum is cycled by onecycle, not by cosine"):
        ScheduleSettings.read({"name": "cosine", "low_momentum": 0.5})
    with pytest.raises(
        SettingError, match=r"schedule.low_momentum \(0.95\) must not be above optimizer.momentum \(0.9\)"
    ):
        TrainingSettings.read({"budget": {"epochs": 1}, "schedule": {"low_momentum": 0.95}})


def test_stages_are_set_from_text_and_come_back_from_a_file(tmp_path):
    record = TrainingSettings(budget=Budget(epochs=12)).with_settings(
        {"stages": "[{epochs: 3, freeze: true}, {epochs: 9, lr: 1e-3, front: 0.1}]"}
    )

    assert record.stages == (Stage(epochs=3, freeze=True), Stage(epochs=9, lr=1e-3, front=0.1))
    assert TrainingSettings.load(record.save(tmp_path / "training.yaml")) == record
    with pytest.raises(SettingError, match=r"stages\.0\.freez"):
        record.with_settings({"stages": [{"epochs": 1, "freez": True}]})
