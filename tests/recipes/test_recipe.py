import re

import pytest
import yaml

from maskwright.data.augment import OFF
from maskwright.datasets import card
from maskwright.errors import SettingError
from maskwright.recipes import recipe, recipes
from maskwright.recipes.recipe import FOLDER

NAMES = [found.name for found in recipes()]


def test_the_tutorials_eight_systems_are_there():
    assert set(NAMES) == {
        "pets-unet", "camvid-unet", "camvid-resnet34", "salt-unet", "carvana-simple", "carvana-unet", "valid-unet",
        "isbi-2015",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_called_as_its_recipe_and_opens_with_data_time_and_number(name):
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")

    assert recipe(name).name == name
    assert re.match(r"# Data +\S.*\n(#.*\n)*# Takes +\S.*\n(#.*\n)*# Expect +\S", text)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_leaves_no_part_to_the_planner(name):
    stated = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))

    assert {"preprocess", "model", "sampling", "loss", "training"} <= stated.keys()
    assert {"budget", "optimizer", "schedule", "validation", "ema"} <= stated["training"].keys()
    assert {"name", "lr", "weight_decay", "momentum"} <= stated["training"]["optimizer"].keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_comes_back_from_its_own_yaml(name, tmp_path):
    path = recipe(name).save(tmp_path / "own.yaml")

    assert recipe(path) == recipe(name)
    assert recipe(recipe(name)) == recipe(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_done_only_with_a_number_in_full_that_passes(name):
    row = recipe(name)
    full = [m.value for m in row.ours if m.scale == "in full"]

    if row.state == "done":
        assert row.target is not None
        assert any((v <= row.target) if row.smaller_is_better else (v >= row.target) for v in full)
    if row.state == "scaled down":
        assert row.ours


def test_what_a_recipe_does_not_name_is_not_done_to_its_images():
    assert recipe("pets-unet").augment == OFF
    assert recipe("salt-unet").augment == OFF.model_copy(update={"flip_horizontal": True})


def test_the_network_for_other_data_keeps_a_single_logit_for_two_classes():
    salt = recipe("salt-unet")

    assert salt.network(in_channels=3, classes=2).classes == 1
    assert salt.network(in_channels=3, classes=2).in_channels == 3
    assert salt.network(classes=5).classes == 5
    assert recipe("camvid-unet").network(classes=2).classes == 2


def test_an_unknown_name_answers_with_the_nearest():
    with pytest.raises(SettingError, match=r"no recipe called 'carvana-nuet'. Did you mean 'carvana-unet'"):
        recipe("carvana-nuet")


def test_a_wrong_key_in_ones_own_recipe_is_named(tmp_path):
    text = (FOLDER / "salt-unet.yaml").read_text("utf-8").replace("dropout_place", "dropout_plcae")
    (tmp_path / "own.yaml").write_text(text, "utf-8")

    with pytest.raises(SettingError, match=r"dropout_plcae.*own.yaml.*dropout_place"):
        recipe(tmp_path / "own.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_s_data_set_has_a_card_that_names_the_recipe(name):
    assert name in card(recipe(name).data).recipes
