"""Finding a learning rate, from Python and from the command line."""

import shlex

import pytest
from typer.testing import CliRunner

import maskwright
from maskwright import api
from maskwright.cli import app
from maskwright.cli.find_lr import suggested
from maskwright.errors import MaskwrightError, SettingError
from maskwright.plan import Plan
from maskwright.training.range_test import RangeTest

FILES = {"plan.yaml", "lr-range.json", "lr-range.png"}


def test_a_rate_is_found_and_the_folder_holds_what_was_seen_and_nothing_else(blobs, tiny, tmp_path):
    found = api.find_lr(blobs(), out=tmp_path / "lr", device="cpu", epochs=5, settings=tiny)

    assert {path.name for path in (tmp_path / "lr").iterdir()} == FILES
    assert RangeTest.load(tmp_path / "lr" / "lr-range.json") == found
    assert Plan.load(tmp_path / "lr" / "plan.yaml").model.base == 8
    assert set(found.settings) == {"optimizer.lr", "optimizer.side_lr"}
    run = maskwright.train(
        tmp_path / "blobs", out=tmp_path / "run", device="cpu", epochs=1, settings={**tiny, **found.settings}
    )
    assert run.plan.training.optimizer.lr == found.settings["optimizer.lr"]


def test_an_error_on_the_way_leaves_no_cache(blobs, tiny, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise MaskwrightError("no")

    monkeypatch.setattr("maskwright.api.trying.range_test", fails)
    with pytest.raises(MaskwrightError):
        api.find_lr(blobs(), out=tmp_path / "lr", device="cpu", settings=tiny)
    assert {path.name for path in (tmp_path / "lr").iterdir()} == {"plan.yaml"}


def test_a_setting_that_does_not_fit_leaves_nothing(blobs, tmp_path):
    with pytest.raises(SettingError, match=r"optimizer\.front"):
        api.find_lr(blobs(), out=tmp_path / "lr", device="cpu", settings={"optimizer.front": 2})
    assert not (tmp_path / "lr").exists()


def test_the_command_prints_rates_and_the_command_to_train_with(blobs, tiny, tmp_path):
    settings = [f"{key}={value}" for key, value in tiny.items()]
    words = [
        "train",
        str(blobs()),
        *settings,
        "--find-lr",
        "--out",
        str(tmp_path / "lr"),
        "--epochs",
        "5",
        "--device",
        "cpu",
    ]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})

    assert done.exit_code == 0, done.output
    assert "suggested" in done.output
    assert str(tmp_path / "lr" / "lr-range.png") in done.output
    (line,) = [line for line in done.output.splitlines() if line.strip().startswith("maskwright train")]
    ready = shlex.split(line)
    assert ready[:3] == ["maskwright", "train", str(tmp_path / "blobs")]
    assert "model.base=8" in ready
    assert "optimizer.lr=0.02" not in ready
    assert sum(word.startswith("optimizer.lr=") for word in ready) == 1
    assert ready[ready.index("--epochs") + 1] == "5"
    assert not {"--out", "--find-lr", "--seed", "--plan"} & set(ready)


def test_a_run_that_is_to_go_on_has_its_rate_already(tmp_path):
    done = CliRunner().invoke(app, ["train", "--find-lr", "--resume", str(tmp_path)])

    assert isinstance(done.exception, SettingError)
    assert "--find-lr" in str(done.exception)


@pytest.mark.parametrize("key", ["lr", "optimizer.lr", "training.optimizer.lr"])
def test_the_suggestion_takes_the_place_of_the_rate_that_was_given(key):
    words = ["model.depth=3", f"{key}=0.5", "optimizer.side_lr=0.1"]

    assert suggested(words, {"optimizer.lr": 0.003}) == ["model.depth=3", "optimizer.side_lr=0.1", "optimizer.lr=0.003"]
