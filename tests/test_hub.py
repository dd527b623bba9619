"""A model on the Hub does wherever a model file does; the stand-in is asked through the Hub's own client."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from PIL import Image
from tests.exports.conftest import model
from typer.testing import CliRunner

import maskwright
from maskwright import api, modelfile
from maskwright.cli import app
from maskwright.errors import DownloadError, ModelFileError, SettingError
from maskwright.hub import located, on_hub
from maskwright.inference import Predictor

# The Hub's client hands its HTTP library a file in a way that this has begun to advise against.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

HERE = "hf://ada/cells"


@pytest.fixture
def files(tmp_path):
    """Two model files with other weights."""
    made = [(tmp_path / f"{seed}.safetensors", model(seed)) for seed in (0, 1)]
    return [
        modelfile.save(path, one.network.state_dict(), one.description, torch.randn(1, 16, 16)) for path, one in made
    ]


@pytest.fixture
def shared(hub, files):
    """The stand-in with the first of the models at the newest revision, and the second at `v2`."""
    hub.repos["ada/cells"] = {"model.safetensors": files[0].read_bytes(), "README.md": b"# Cells"}
    hub.repos["ada/cells@v2"] = {"model.safetensors": files[1].read_bytes()}
    return hub


def sent(hub):
    """How often a model file has gone over the wire."""
    return sum(command == "GET" and path.endswith("model.safetensors") for command, path, _ in hub.asked)


def invoked(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def test_the_file_lies_in_the_cache_of_the_hubs_client_and_is_sent_once(shared, files):
    path = located(HERE)

    assert path.read_bytes() == files[0].read_bytes()
    assert path.is_relative_to(constants.HF_HUB_CACHE)
    assert located(HERE) == path
    assert sent(shared) == 1
    assert not any(asked.endswith("README.md") for _, asked, _ in shared.asked)


def test_a_revision_is_another_model(shared, files):
    assert located(f"{HERE}@v2").read_bytes() == files[1].read_bytes()
    assert located(HERE).read_bytes() == files[0].read_bytes()


def test_a_model_that_has_changed_is_fetched_anew(shared, files):
    located(HERE)
    shared.repos["ada/cells"]["model.safetensors"] = files[1].read_bytes()

    assert located(HERE).read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("name", [HERE, f"{HERE}@v2"])
def test_what_was_fetched_serves_without_a_network(name, shared, monkeypatch):
    path = located(name)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert located(name) == path
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    unplug(monkeypatch)
    assert located(name) == path


def unplug(monkeypatch):
    """Nobody answers at the Hub's address from now on; its client tries again at once, five times."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    )


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network_a_model_that_was_never_fetched_is_told(offline, hub, monkeypatch):
    unplug(monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)

    with pytest.raises(DownloadError, match=r"ada/cells was not fetched: the Hub cannot be reached .* fetched before"):
        located(HERE)


def test_what_is_not_there_is_told(shared):
    shared.repos["ada/poem"] = {"README.md": b"# A poem", "pytorch_model.bin": b"pickle"}

    with pytest.raises(DownloadError, match=r"ada/none was not fetched.*no such repository"):
        maskwright.load("hf://ada/none")
    with pytest.raises(DownloadError, match=r"ada/cells was not fetched: it has no such revision"):
        maskwright.load(f"{HERE}@v3")
    with pytest.raises(DownloadError, match=r"ada/poem holds no model\.safetensors"):
        maskwright.load("hf://ada/poem")


def test_a_damaged_model_is_told(shared):
    shared.repos["ada/cells"]["model.safetensors"] = shared.repos["ada/cells"]["model.safetensors"][:-40]

    with pytest.raises(ModelFileError, match="damaged"):
        maskwright.load(HERE)


@pytest.mark.parametrize(
    "name", ["hf://cells", "hf://ada/", "hf:///cells", "hf://ada/cells/more", "hf://ada/../x", "hf://a b/c"]
)
def test_a_name_that_is_no_place_on_the_hub_is_refused(name, hub):
    with pytest.raises(SettingError, match="OWNER/NAME"):
        located(name)
    assert hub.asked == []


def test_a_missing_client_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    with pytest.raises(SettingError, match=r'pip install "maskwright\[hub\]"'):
        located(HERE)


def test_a_path_of_pathlib_names_it_too_and_a_file_here_is_left_as_it_is(shared, tmp_path):
    assert located(Path(HERE)) == located(HERE)
    assert located("runs/hf/model.safetensors") == Path("runs/hf/model.safetensors")
    assert on_hub(HERE)
    assert not on_hub(tmp_path)


def test_whatever_takes_a_model_takes_one_on_the_hub(shared, files, blobs, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    expected = Predictor(files[0], device="cpu")(image, probabilities=True)

    said = maskwright.predict(HERE, image, probabilities=True, device="cpu")
    both = maskwright.load([HERE, f"{HERE}@v2"], device="cpu")(image)
    joined = api.ensemble([HERE, f"{HERE}@v2"], tmp_path / "both.safetensors")
    folder = api.hub_folder(HERE, tmp_path / "folder")

    np.testing.assert_array_equal(said.probabilities, expected.probabilities)
    np.testing.assert_array_equal(both.labels, Predictor(files, device="cpu")(image).labels)
    np.testing.assert_array_equal(maskwright.load(joined, device="cpu")(image).labels, both.labels)
    assert (folder / "model.safetensors").read_bytes() == files[0].read_bytes()
    assert modelfile.describe(HERE) == modelfile.describe(files[0])
    assert modelfile.load(HERE).description == modelfile.load(files[0]).description


def test_the_command_line_takes_one_too(shared, files, tmp_path):
    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)).save(image)

    invoked("predict", HERE, image, "--out", tmp_path / "masks", "--with", f"{HERE}@v2")
    invoked("predict", files[0], image, "--out", tmp_path / "local", "--with", files[1])
    assert (tmp_path / "masks" / "image.png").read_bytes() == (tmp_path / "local" / "image.png").read_bytes()
    assert HERE in invoked("show", HERE)
    assert invoked("show", "--json", HERE) == invoked("show", "--json", files[0])
    invoked("ensemble", HERE, f"{HERE}@v2", "--out", tmp_path / "both.safetensors")
    invoked("push", f"{HERE}@v2", "bob/cells")
    assert shared.repos["bob/cells"]["model.safetensors"] == files[1].read_bytes()
    assert "hf://OWNER/NAME@REVISION" in invoked("predict", "--help")


def test_nothing_is_written_into_the_hubs_cache(shared, blobs, tmp_path):
    with pytest.raises(SettingError, match=r"hf://ada/cells lies in the Hub's cache.*--out"):
        api.export(HERE)
    with pytest.raises(SettingError, match=r"hf://ada/cells lies in the Hub's cache.*another file"):
        api.familiarise(HERE, blobs())
    assert shared.asked == []


def test_an_export_of_one_lies_where_it_is_said(shared, tmp_path):
    out = tmp_path / "cells.torchscript.pt"

    printed = invoked("export", HERE, "--to", "torchscript", "--out", out)

    assert out.is_file()
    assert str(out) in printed
