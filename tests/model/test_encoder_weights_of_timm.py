"""timm's own weights and their licence, without a network."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from tests.model.encoder_models import NAME, encoder, same, saved, whole

from maskwright.errors import SettingError
from maskwright.model.encoders.weightfiles import licence_beside, licence_on_hub
from maskwright.model.encoders.weights import WeightsInfo, load_pretrained

timm = pytest.importorskip("timm")
hub = pytest.importorskip("huggingface_hub")


@pytest.fixture(scope="module")
def model():
    return whole()


@pytest.fixture
def weights(model):
    return dict(model.state_dict())


@pytest.fixture
def served(monkeypatch, tmp_path):
    """A hub that serves the files of a folder; asks are noted."""
    folder = tmp_path / "hub"
    folder.mkdir()
    asked = []

    def download(repository, name, *, revision=None):
        asked.append((repository, name))
        if not (folder / name).exists():
            raise hub.errors.EntryNotFoundError(f"no {name} in {repository}")
        return str(folder / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    return folder, asked


def test_timms_own_weights_come_with_their_licence_and_statistics(served, weights, model):
    folder, asked = served
    saved(folder / "model.safetensors", weights)
    ours = encoder()

    info = load_pretrained(ours, "pretrained", 3)

    assert same(ours, model)
    assert asked == [("timm/regnetx_002.pycls_in1k", "model.safetensors")]
    assert info.name == "regnetx_002.pycls_in1k"
    assert info.source == "timm/regnetx_002.pycls_in1k from the Hugging Face hub"
    assert (info.licence, info.note) == ("mit", "as timm lists it")
    assert info.url == "https://huggingface.co/timm/regnetx_002.pycls_in1k"
    assert info.sha256 == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert (info.mean, info.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert WeightsInfo.read(json.loads(info.to_json())) == info


def test_the_tag_of_a_name_says_which_weights(served):
    folder, asked = served
    saved(folder / "pytorch_model.bin", whole("resnet18").state_dict())

    info = load_pretrained(encoder("resnet18.tv_in1k", depth=1), "pretrained", 3)

    assert asked == [("timm/resnet18.tv_in1k", "model.safetensors"), ("timm/resnet18.tv_in1k", "pytorch_model.bin")]
    assert (info.name, info.licence) == ("resnet18.tv_in1k", "bsd-3-clause")


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: cc-by-4.0\ntags: [timm]\n---\n# Card", "cc-by-4.0"),
        ("---\nlicense: other\nlicense_name: own-terms\n---\n", "own-terms"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit, apache-2.0"),
        ("---\ntags: [timm]\n---\nlicense: mit", None),
        ("# No front matter\n---\nlicense: mit\n---\n", None),
        ("---\n{a: ]\n---\n", None),
        (None, None),
    ],
)
def test_the_licence_of_a_model_card_is_read_where_it_names_one(card, licence, served):
    folder, _ = served
    if card:
        (folder / "README.md").write_text(card)

    assert licence_on_hub("timm/some") == licence


@pytest.mark.parametrize(
    ("card", "licence", "note"),
    [
        ("---\nlicense: cc-by-4.0\n---\n", "cc-by-4.0", "as the model card on the hub says"),
        ("", "unknown", "Look the licence up at https://huggingface.co/timm/regnetx_002.pycls_in1k."),
    ],
)
def test_a_licence_that_timm_does_not_list_is_looked_for_on_the_hub(card, licence, note, served, weights, monkeypatch):
    folder, _ = served
    saved(folder / "model.safetensors", weights)
    (folder / "README.md").write_text(card)
    config = timm.get_pretrained_cfg(NAME)
    monkeypatch.setattr(config, "license", None)
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda name: config)

    info = load_pretrained(encoder(), "pretrained", 3)

    assert (info.licence, info.note) == (licence, note)


def test_without_a_network_both_ways_out_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    ours = encoder()

    with pytest.raises(SettingError) as caught:
        load_pretrained(ours, "pretrained", 3)

    message = str(caught.value)
    assert "Connect to the network" in message
    assert "download the file model.safetensors from https://huggingface.co/timm/regnetx_002.pycls_in1k" in message
    assert "encoder.weights=PATH" in message


@pytest.mark.parametrize("error", [ConnectionError("no route"), RuntimeError("client has been closed"), TimeoutError()])
def test_whatever_the_hubs_client_raises_it_is_our_error(error, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(hub, "hf_hub_download", fail)

    with pytest.raises(SettingError, match="could not be downloaded"):
        load_pretrained(encoder(), "pretrained", 3)


def test_weights_that_lie_at_an_address_are_fetched_once(monkeypatch, weights, model, tmp_path):
    config = timm.get_pretrained_cfg(NAME)
    monkeypatch.setattr(config, "hf_hub_id", None)
    monkeypatch.setattr(config, "url", "https://example.org/weights/own-1234.pth")
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda name: config)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    asked = []
    monkeypatch.setattr(
        torch.hub,
        "download_url_to_file",
        lambda url, path, progress: asked.append(url) or saved(Path(path), weights),
    )
    ours = encoder()

    load_pretrained(ours, "pretrained", 3)
    info = load_pretrained(ours, "pretrained", 3)

    assert same(ours, model)
    assert asked == ["https://example.org/weights/own-1234.pth"]
    assert info.source == info.url == "https://example.org/weights/own-1234.pth"


def test_a_model_without_weights_of_timms_says_so(monkeypatch):
    name = next(name for name in timm.list_models("resnetblur*") if not timm.list_pretrained(f"{name}.*"))

    with pytest.raises(SettingError, match=f"no weights for '{name}'.*none of this model.*path of a file"):
        load_pretrained(encoder(name, depth=1), "pretrained", 3)


# What is said of a file


@pytest.mark.parametrize(
    ("metadata", "files", "licence", "where"),
    [
        ({"license": "mit"}, {"LICENSE": "Other"}, "mit", "the file's metadata"),
        ({}, {"README.md": "---\nlicense: mit\n---\n", "LICENSE": "Other"}, "mit", "the model card README.md"),
        ({}, {"LICENSE": "\n   Apache License\nVersion 2.0"}, "Apache License", "the first line of LICENSE "),
        ({}, {"LICENCE.txt": "Our terms"}, "Our terms", "the first line of LICENCE.txt"),
    ],
)
def test_the_licence_of_a_file_is_read_in_it_or_beside_it(metadata, files, licence, where, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    found = licence_beside(tmp_path / "w.safetensors", metadata)

    assert found[0] == licence
    assert found[1].startswith(where)


def test_a_licence_that_is_nowhere_is_unknown_and_to_be_looked_up(weights, tmp_path):
    (tmp_path / "README.md").write_text("# Results\n\n---\n\nlicense: mit")
    (tmp_path / "config.json").write_text("[1, 2")

    info = load_pretrained(encoder(), str(saved(tmp_path / "w.safetensors", weights)), 3)

    assert (info.licence, info.note) == ("unknown", "Look the licence up where the file came from.")
    assert str(tmp_path) not in info.to_json()


def test_timms_config_beside_a_file_says_what_its_weights_want(weights, tmp_path):
    said = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "license": "mit", "origin_url": "https://example.org"}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": NAME, "pretrained_cfg": said}))
    path = str(saved(tmp_path / "w.safetensors", weights))

    info = load_pretrained(encoder(f"{NAME}.pycls_in1k"), path, 3)

    assert (info.mean, info.std, info.licence) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "mit")
    assert info.url == "https://example.org"


def test_the_config_of_another_model_is_not_believed(weights, tmp_path):
    said = {"mean": [0.5, 0.5, 0.5], "license": "mit"}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet50", "pretrained_cfg": said}))

    info = load_pretrained(encoder(), str(saved(tmp_path / "w.safetensors", weights)), 3)

    assert (info.mean, info.licence) == ((0.485, 0.456, 0.406), "unknown")
