"""What every tracker owes those who use it. A new tracker is found here by itself."""

import json

import pytest

from maskwright.errors import SettingError
from maskwright.training.tracking import Tracker, trackers

PARTS = [pytest.param(tracker, id=name) for name, tracker in trackers.items()]
PROTOCOL = ("demand", "place", "open", "log", "finish", "fail")


@pytest.mark.parametrize("part", PARTS)
def test_every_tracker_says_what_it_is_and_is_made_without_arguments(part):
    assert len((vars(part).get("__doc__") or "").split()) >= 5
    assert all(callable(getattr(part(), name)) for name in PROTOCOL)
    for name in ("open", "log", "finish", "fail"):
        assert getattr(part, name) is not getattr(Tracker, name), f"{name} would do nothing"


@pytest.mark.parametrize("part", PARTS)
def test_every_tracker_remembers_a_place_that_json_holds_and_nothing_secret(part, tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.setenv(name, "s3cret" * 8)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:s3cret@tracking.example")
    place = part().place(tmp_path)

    assert "s3cret" not in json.dumps(place)
    assert list(tmp_path.iterdir()) == [], "nothing is written before training"


@pytest.mark.parametrize("part", PARTS)
def test_every_tracker_that_needs_a_package_says_how_it_is_installed(part, monkeypatch):
    if part.package:
        monkeypatch.setitem(__import__("sys").modules, part.package, None)
        with pytest.raises(SettingError, match=rf"pip install maskwright\[{part.extra}\]"):
            part().demand()


def test_the_three_that_are_promised_are_there():
    assert {"mlflow", "tensorboard", "wandb"} <= set(trackers)
