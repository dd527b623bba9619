import pytest

from maskwright.errors import SettingError
from maskwright.settings import (
    Budget,
    OptimizerSettings,
    ScheduleSettings,
    TrainingSettings,
    ValidationSettings,
)


@pytest.mark.parametrize("parts", [{}, {"epochs": 2, "minutes": 3}, {"epochs": 1, "steps": 1}])
def test_exactly_one_budget_is_stated(parts):
    with pytest.raises(SettingError, match="exactly one of epochs, minutes and steps"):
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
