import pytest

from maskwright.errors import SettingError
from maskwright.training.tracking import Tracker, demand, trackers
from maskwright.training.tracking.registry import flat


def test_nested_settings_get_dotted_keys_and_lists_become_text():
    nested = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": "x", "g": {}}

    assert flat(nested) == {"a.b": 1, "a.c.d": None, "e": "[1, 2]", "f": "x"}


def test_an_unknown_tracker_names_the_nearest():
    with pytest.raises(SettingError, match=r"--track tensorbord: There is no tracker .* Did you mean 'tensorboard'\?"):
        demand(["tensorbord"])


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_an_error_with_the_line_that_installs_it(name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, trackers[name].package, None)

    with pytest.raises(SettingError, match=rf"--track {name}: .*pip install maskwright\[track\]"):
        demand([name])


def test_the_base_asks_for_nothing_and_remembers_nothing(run_of, rows, results):
    tracker, run = Tracker(), run_of()
    tracker.demand()

    assert tracker.place(run.folder) == {}
    assert tracker.open(run) == 0
    tracker.log(rows(1))
    tracker.finish(results)
    tracker.fail("")
