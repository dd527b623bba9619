"""What the docs show runs, and says what they say it says."""

import re
from pathlib import Path

import pytest
import torch

import maskwright
from maskwright.errors import DataError
from maskwright.inference.outputs import describe
from maskwright.model.sizes import output_size
from maskwright.recipes import recipes

ROOT = Path(__file__).parents[2]
NETWORKS = ROOT / "docs" / "networks.md"


def blocks(path):
    return re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), flags=re.S)


def test_the_networks_page_runs_and_builds_what_the_recipes_say():
    pytest.importorskip("timm")
    shown = {}
    with torch.device("meta"):  # shapes without weights: nothing is drawn or computed
        for block in blocks(NETWORKS):
            exec(block, shown)
    names = {
        "pets-unet": "pets",
        "camvid-unet": "camvid",
        "camvid-resnet34": "resnet",
        "salt-unet": "salt",
        "carvana-unet": "carvana",
        "carvana-simple": "simple",
        "valid-unet": "valid",
        "isbi-2015": "paper",
    }
    for recipe in recipes():
        network, record = shown[names[recipe.name]], recipe.network()
        same = {"init": "torch", "encoder.weights": None}
        assert network.record.with_settings(same) == record.with_settings(same), recipe.name

    assert shown["logits"].shape == (2, 1, 96, 128)
    assert sum(p.numel() for p in shown["network"].parameters()) == pytest.approx(34.6e6, rel=2e-3)
    assert output_size(shown["paper"].record, 572) == 388
    with pytest.raises(DataError, match="556 and 572"):
        shown["paper"](torch.rand(1, 1, 570, 570))


def test_each_setting_that_turns_one_network_into_another_does():
    pytest.importorskip("timm")
    rows = re.findall(r"\| [^|]+ \| [^|]+ \| (`.+) \|", NETWORKS.read_text("utf-8"))
    settings = [code for row in rows for code in re.findall(r"`([^`]+)`", row)]
    assert len(settings) >= 9

    with torch.device("meta"):
        for code in settings:
            changes = eval(f"dict({code})")
            built = maskwright.build({"in_channels": 3, "depth": 4, "base": 8}, **changes)
            assert built.record != maskwright.UNetRecord(in_channels=3, depth=4, base=8), code


def test_every_recipe_stands_in_the_readme_as_its_file_says():
    text = (ROOT / "README.md").read_text("utf-8")
    for recipe in recipes():
        (row,) = re.findall(rf"^\| `{recipe.name}` \|.*$", text, flags=re.M)
        assert recipe.state in row, recipe.name
        for measured in recipe.ours:
            assert f"{measured.value:.4g}" in row, recipe.name


def test_the_page_on_prediction_has_each_output_with_its_choices():
    text = (ROOT / "docs" / "predict.md").read_text("utf-8")
    for name, choices, _ in describe():
        (row,) = re.findall(rf"^\| `{name}` \|([^|]*)\|", text, flags=re.M)
        assert re.findall(r"`([^`]+)`", row) == re.split(r"[| ]", choices) if choices else not row.strip(), name
