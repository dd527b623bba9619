import pytest
import torch

import maskwright
from maskwright import UNetRecord
from maskwright.errors import SettingError
from maskwright.recipes import recipe
from maskwright.recipes.recipe import FOLDER

RECORD = UNetRecord(in_channels=2, classes=3, depth=2, base=4, block="residual")


@pytest.mark.parametrize(
    "form",
    [
        lambda _: RECORD,
        lambda _: RECORD.plain(),
        lambda _: RECORD.to_json(),
        lambda folder: RECORD.save(folder / "record.json"),
        lambda folder: str(RECORD.save(folder / "record.yaml")),
    ],
    ids=["record", "mapping", "JSON", "JSON file", "YAML file"],
)
def test_a_record_in_any_form_is_built(form, tmp_path):
    network = maskwright.build(form(tmp_path))

    assert network.record == RECORD
    assert network(torch.zeros(1, 2, 9, 13)).shape == (1, 3, 9, 13)


@pytest.mark.parametrize("form", [lambda name: name, recipe, lambda name: FOLDER / f"{name}.yaml"])
def test_a_recipe_is_built_by_name_itself_or_from_its_file(form):
    with torch.device("meta"):
        assert maskwright.build(form("salt-unet")).record == recipe("salt-unet").model


def test_changes_are_settings_of_the_record():
    changed = maskwright.build(RECORD, skip="attention", **{"encoder.name": "residual"})

    assert (changed.record.skip, changed.record.encoder.name) == ("attention", "residual")
    with pytest.raises(SettingError, match=r"skp.*Did you mean 'skip'"):
        maskwright.build(RECORD, skp="add")


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("carvana-nuet", "Did you mean 'carvana-unet'"),
        ("nowhere.json", r"nowhere.json does not exist"),
        ({"in_chanels": 3}, "in_channels"),
        ('{"depth": 0}', "depth"),
    ],
)
def test_what_cannot_be_built_is_said(what, complaint):
    with pytest.raises(SettingError, match=complaint):
        maskwright.build(what)


def test_first_weights_are_fetched_only_when_asked_for(tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(5)
    theirs = timm.create_model("resnet18")
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    record = {"depth": 3, "base": 4, "encoder": {"name": "resnet18", "weights": str(tmp_path / "resnet18.pth")}}

    fresh, filled = maskwright.build(record), maskwright.build(record, pretrained=True)

    images = torch.randn(1, 3, 32, 32)
    expected = theirs.eval().forward_intermediates(images, indices=[0], intermediates_only=True)
    torch.testing.assert_close(filled.eval().encoder(images)[1], expected[0])
    assert not torch.equal(fresh.eval().encoder(images)[1], expected[0])
