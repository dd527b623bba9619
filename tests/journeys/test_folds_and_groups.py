"""Folds and groups from the command line."""

import pytest
from typer.testing import CliRunner

from maskwright import api
from maskwright.cli import app
from maskwright.cli.train import _words
from maskwright.data.index import Samples


@pytest.fixture
def scenes(blobs):
    """Four scenes of three pictures each."""
    root = blobs(count=12)
    for i in range(12):
        for kind in ("images", "masks"):
            (root / kind / f"img_{i:02d}.png").rename(root / kind / f"scene{i // 3}_{i % 3}.png")
    return root


def said(*words):
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_single_fold_is_trained_and_scored_by_itself(scenes, tiny, tmp_path):
    settings = [f"{key}={value}" for key, value in tiny.items()]
    out = tmp_path / "run"
    shown = said("train", scenes, *settings, "--folds", 4, "--fold", 2, "--epochs", 1, "--device", "cpu", "--out", out)

    samples = Samples.load(out / "samples.json")
    assert len(samples.part("val")) == 3
    (scene,) = {s.group for s in samples.part("val")}
    assert scene not in {s.group for s in samples.part("train")}
    assert "fold 2 of 4" in shown
    expected = api.inspect(scenes, folds=4, fold=2).samples
    assert [s.split for s in samples.samples] == [s.split for s in expected.samples]
    assert "images" in said("evaluate", out / "model.safetensors", scenes, "--split", "val", "--groups", "none")


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("verb", ["inspect", "plan"])
def test_groups_and_folds_are_options_where_data_are_looked_at(verb, scenes):
    assert "groups: 3, as stated" in said(verb, scenes, "--groups", r"_(\d)$", "--folds", 3, "--fold", 0)
    assert "groups: 4 by name, never parted" in said(verb, scenes)
    assert "groups:" not in said(verb, scenes, "--groups", "none")


def test_a_recipe_draws_as_it_says_and_folds_take_the_place_of_its_share(blobs, tmp_path):
    root = blobs(count=20)
    (tmp_path / "dataset.yaml").write_text(f"path: {root}\nsplit: {{folds: 5, fold: 3}}\n")
    followed = {"recipe": "salt-unet", "share": 3}
    assert len(api.look(root, **followed).samples.part("val")) == 3
    fold = api.look(root, "salt-unet", folds=5, fold=0).samples
    assert len(fold.part("val")) == 4
    assert api.look(root, "salt-unet", folds=5).samples.samples == fold.samples
    third, first = (api.look(tmp_path, stratify=True, fold=n).samples.part("val") for n in (None, 0))
    assert [s.name for s in first] == [s.name for s in fold.part("val")] != [s.name for s in third]


def test_a_recipe_follows_no_groups_that_nobody_stated(scenes):
    assert {s.group for s in api.look(scenes, "pets-unet").samples.samples} == {None}
    (scenes / "dataset.yaml").write_text("split: {groups: '{group}_*'}\n")
    assert len({s.group for s in api.look(scenes, "pets-unet").samples.samples}) == 4


def test_the_command_that_trains_with_a_rate_names_the_fold_even_if_it_is_the_first():
    options = dict.fromkeys(("minutes", "epochs", "memory", "plan", "recipe"), None) | {"device": "auto", "seed": 0}
    options |= {"test": [], "val": [], "skip": [], "groups": "{group}_*", "folds": 5, "fold": 0}
    assert _words([], options) == ["--groups", "{group}_*", "--folds", "5", "--fold", "0"]
    assert _words([], {**options, "groups": None, "folds": None, "fold": None}) == []
