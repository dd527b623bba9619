import re

import pytest
import yaml
from typer.testing import CliRunner

from maskwright import api, modelfile
from maskwright.cli import app
from maskwright.errors import DownloadError, ModelFileError, SettingError
from maskwright.plan import Plan

# The Hub's client hands its HTTP library a file in a way that this has begun to advise against.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

SAID = {"author": "Ada Lovelace", "licence": "CC-BY-4.0", "tags": "microscopy, discs"}


@pytest.fixture(scope="module")
def run(paint_blobs, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    data = paint_blobs(folder / "discs", count=10, size=(24, 20))
    settings = {**tiny, "training.budget": {"steps": 4}, "model.base": 4, "device.threads": 1}
    return api.train(data, out=folder / "run", device="cpu", settings=settings)


def test_a_folder_for_the_hub_holds_model_plan_and_card(run, tmp_path):
    folder = api.hub_folder(run.model, tmp_path / "folder", said=SAID, report=True)

    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "plan.yaml", "README.md", "report.html"}
    assert (folder / "model.safetensors").read_bytes() == run.model.read_bytes()
    assert Plan.load(folder / "plan.yaml") == modelfile.describe(run.model).plan
    head = yaml.safe_load((folder / "README.md").read_text("utf-8").split("---")[1])
    assert head["license"] == "cc-by-4.0"
    assert head["pipeline_tag"] == "image-segmentation"
    assert {"microscopy", "discs"} <= set(head["tags"])


def test_what_is_pushed_is_what_is_pulled(run, hub, tmp_path):
    address = api.push(run.model, "ada/discs", said=SAID)

    pulled = api.pull("ada/discs", tmp_path / "pulled")

    assert address.endswith("/ada/discs")
    assert pulled.read_bytes() == run.model.read_bytes()
    assert {path.name for path in pulled.parent.rglob("*") if path.is_file()} == {
        "model.safetensors", "plan.yaml", "README.md",
    }  # fmt: skip
    assert {told for command, _, told in hub.asked if command == "POST"} == {"Bearer hf_stand_in"}
    assert "report.html" not in hub.repos["ada/discs"]


def test_the_command_line_pushes_and_pulls(run, hub, tmp_path):
    said = ["--say", "author=Ada Lovelace", "--say", "licence=MIT"]

    pushed = CliRunner().invoke(app, ["push", str(run.model), "ada/cells", *said, "--report"])
    pulled = CliRunner().invoke(app, ["pull", "ada/cells", "--out", str(tmp_path / "here")])

    assert pushed.exit_code == pulled.exit_code == 0, (pushed.exception, pulled.exception)
    assert re.search(r"Licence: MIT\. Authors: Ada Lovelace\.", (tmp_path / "here" / "README.md").read_text("utf-8"))
    assert (tmp_path / "here" / "report.html").is_file()


def test_a_model_that_was_pulled_or_lies_on_the_hub_scores_as_the_runs_does_and_no_report_is_made(run, hub, tmp_path):
    api.push(run.model, "ada/discs")
    pulled = api.pull("ada/discs", tmp_path / "pulled")
    held = sorted(pulled.parent.rglob("*"))
    data = run.folder.with_name("discs")

    expected = api.evaluate(run.model, data, split="val", device="cpu")

    for model in (pulled, "hf://ada/discs"):
        assert api.evaluate(model, data, split="val", device="cpu").mean_iou == expected.mean_iou
    assert sorted(pulled.parent.rglob("*")) == held


def test_a_repository_that_is_not_there_is_named(hub, tmp_path):
    with pytest.raises(DownloadError, match=r"ada/none was not pulled.*no such repository"):
        api.pull("ada/none", tmp_path / "pulled")


def test_a_repository_without_a_model_of_ours_is_refused(hub, tmp_path):
    hub.repos["ada/other"] = {"README.md": b"# A poem", "pytorch_model.bin": b"pickle"}

    with pytest.raises(DownloadError, match=r"holds no model\.safetensors"):
        api.pull("ada/other", tmp_path / "pulled")
    assert not (tmp_path / "pulled" / "pytorch_model.bin").exists()


def test_a_damaged_model_is_told(run, hub, tmp_path):
    hub.repos["ada/broken"] = {"model.safetensors": run.model.read_bytes()[:-40]}

    with pytest.raises(ModelFileError, match="damaged"):
        api.pull("ada/broken", tmp_path / "pulled")


def test_a_refusal_says_what_the_hub_said_and_to_log_in(run, hub):
    hub.refuses = True

    with pytest.raises(DownloadError, match=r"403.*hf auth login"):
        api.push(run.model, "ada/discs")


def test_nothing_is_sent_that_does_not_load(run, hub, tmp_path):
    broken = tmp_path / "model.safetensors"
    broken.write_bytes(run.model.read_bytes()[:-40])

    with pytest.raises(ModelFileError, match="damaged"):
        api.push(broken, "ada/discs")
    assert hub.asked == []


@pytest.mark.parametrize("repo", ["discs", "ada/", "/discs", "ada/discs/more"])
def test_a_place_that_is_none_is_refused(repo, tmp_path):
    with pytest.raises(SettingError, match="OWNER/NAME"):
        api.pull(repo, tmp_path)


def test_nothing_is_written_over(run, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"mine")

    with pytest.raises(SettingError, match="there already"):
        api.pull("ada/discs", tmp_path)
    with pytest.raises(SettingError, match="not empty"):
        api.hub_folder(run.model, tmp_path)
    with pytest.raises(SettingError, match="no 'liscence'"):
        api.hub_folder(run.model, tmp_path / "new", said={"liscence": "MIT"})


def test_a_missing_client_is_asked_for_by_name(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)

    with pytest.raises(SettingError, match=r'pip install "maskwright\[hub\]"'):
        api.pull("ada/discs", tmp_path)
