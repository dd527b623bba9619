import argparse
import hashlib
import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from maskwright.errors import SettingError
from maskwright.model.encoders.taps import taps_of
from maskwright.model.encoders.timm import TimmEncoder
from maskwright.model.encoders.weightfiles import licence_beside, licence_on_hub
from maskwright.model.encoders.weights import WeightsInfo, load_pretrained
from maskwright.model.record import EncoderRecord, UNetRecord

timm = pytest.importorskip("timm")
hub = pytest.importorskip("huggingface_hub")

NAME = "regnetx_002"  # small, and quick to build
SWIN = "swin_tiny_patch4_window7_224"


@pytest.fixture
def small_swin(monkeypatch):
    """Swin as timm builds it, but of a width and depth that are quick to draw."""
    small = partial(timm.create_model, embed_dim=24, depths=(2, 2, 2, 2), num_heads=(1, 1, 2, 2))
    taps_of.cache_clear()
    monkeypatch.setattr(timm, "create_model", small)
    yield
    taps_of.cache_clear()


def encoder(name=NAME, depth=3, in_channels=3):
    return TimmEncoder(UNetRecord(depth=depth, in_channels=in_channels, encoder=EncoderRecord(name=name)))


def whole(name=NAME, seed=11, **settings):
    """A model with its classifier and weights that no encoder is drawn with, norm statistics included."""
    torch.manual_seed(seed)
    model = timm.create_model(name, **settings)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.01 * torch.rand(tensor.shape))
    return model.eval()


def saved(path, tensors, metadata=None):
    if path.suffix == ".safetensors":
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, metadata=metadata)
    else:
        torch.save(tensors, path)
    return path


def without(weights, start):
    return {name: tensor for name, tensor in weights.items() if not name.startswith(start)}


@pytest.fixture(scope="module")
def model():
    return whole()


@pytest.fixture
def weights(model):
    return dict(model.state_dict())


def pictures(in_channels=3):
    return torch.rand(1, in_channels, 64, 64, generator=torch.Generator().manual_seed(0))


def same(ours, model, images=None, depth=3):
    """Whether the encoder's maps are those of the whole model."""
    images = pictures() if images is None else images
    theirs = model.forward_intermediates(images, indices=list(range(5)), intermediates_only=True)
    stages = {64 // features.shape[-1]: features for features in theirs}
    return all(
        features is None or torch.allclose(features, stages[2**place], atol=1e-5)
        for place, features in enumerate(ours.eval()(images))
    )


@pytest.mark.parametrize("ending", [".safetensors", ".pth", ".pt", ".bin"])
def test_the_weights_of_a_file_are_loaded(ending, weights, model, tmp_path):
    ours = encoder()
    assert not same(ours, model)

    path = saved(tmp_path / f"own{ending}", weights)
    info = load_pretrained(ours, str(path), 3)

    assert same(ours, model)
    assert (info.name, info.source) == (NAME, f"own{ending}")
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "packed",
    [
        lambda weights: {"state_dict": weights, "epoch": 3, "args": argparse.Namespace(lr=0.1)},
        lambda weights: {"model": weights},
        lambda weights: {f"module.{name}": tensor for name, tensor in weights.items()},
        lambda weights: {"state_dict": {f"module.encoder.{name}": tensor for name, tensor in weights.items()}},
        lambda weights: (
            {f"encoder.{name}": tensor for name, tensor in weights.items()} | {"decoder.conv.weight": torch.ones(1)}
        ),
        lambda weights: (
            {f"model.backbone.{name}": tensor for name, tensor in weights.items()} | {"model.head.bias": torch.ones(1)}
        ),
        lambda weights: without(weights, "head.fc."),
        lambda weights: weights | {"head.fc.weight": torch.ones(7, 368), "head.fc.bias": torch.ones(7)},
        lambda weights: {name: tensor for name, tensor in weights.items() if "num_batches" not in name},
        lambda weights: weights | {"s1.b1.attn_mask": torch.ones(1)},
        lambda weights: {
            name: torch.nn.Parameter(tensor) if tensor.is_floating_point() else tensor
            for name, tensor in weights.items()
        },
    ],
    ids=[
        "checkpoint",
        "model",
        "module",
        "module.encoder",
        "encoder",
        "model.backbone",
        "headless",
        "other head",
        "old",
        "computed",
        "parameters",
    ],
)
def test_checkpoints_of_other_programs_are_unpacked(packed, weights, model, tmp_path):
    ours = encoder()

    load_pretrained(ours, str(saved(tmp_path / "theirs.pth", packed(weights))), 3)

    assert same(ours, model)


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "efficientnet_lite0", "convnext_atto", "dla46_c"])
def test_every_kind_of_model_is_filled_without_its_classifier(name, tmp_path):
    demand_filled(name, tmp_path)


def test_a_model_that_timm_knows_old_names_of_is_filled_without_its_classifier(small_swin, tmp_path):
    """Where the classifier is missing, timm 1.0.15 takes the names for its authors' and translates them in vain."""
    demand_filled(SWIN, tmp_path)


def demand_filled(name, folder):
    theirs = whole(name)
    weights = without(theirs.state_dict(), theirs.pretrained_cfg["classifier"])
    ours = encoder(name)
    before = ours.state_dict()

    load_pretrained(ours, str(saved(folder / "w.safetensors", weights)), 3)

    values = {(tuple(tensor.shape), float(tensor.double().sum())) for tensor in weights.values()}
    for key, tensor in ours.state_dict().items():
        assert (tuple(tensor.shape), float(tensor.double().sum())) in values, key
    assert before.keys() == ours.state_dict().keys()


def test_names_from_before_timm_renamed_a_model_are_translated(small_swin, tmp_path):
    """Swin's authors keep the halving at the end of the stage before, and what can be computed in the file."""
    theirs = whole(SWIN, strict_img_size=False)
    old = {}
    for key, tensor in theirs.state_dict().items():
        parts = key.split(".")
        if parts[0] == "layers" and parts[2] == "downsample":
            parts[1] = str(int(parts[1]) - 1)
        old[".".join(parts).replace("head.fc.", "head.")] = tensor
    old["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    ours = encoder(SWIN)

    load_pretrained(ours, str(saved(tmp_path / "swin.pth", {"model": old})), 3)

    two = theirs.forward_intermediates(pictures(), indices=[0, 1], intermediates_only=True, norm=False)
    for mine, other in zip(ours.eval()(pictures())[2:], two, strict=True):
        torch.testing.assert_close(mine, other)


def test_one_channel_sees_what_three_equal_channels_see(weights, tmp_path):
    path = str(saved(tmp_path / "w.safetensors", weights))
    colour, grey = encoder(), encoder(in_channels=1)
    load_pretrained(colour, path, 3)
    load_pretrained(grey, path, 1)

    of_grey = grey.eval()(pictures(1))
    of_colour = colour.eval()(pictures(1).repeat(1, 3, 1, 1))

    for mine, other in zip(of_grey[1:], of_colour[1:], strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("in_channels", [2, 5, 7])
def test_other_numbers_of_channels_repeat_the_filters_and_keep_the_size_of_activations(in_channels, weights, tmp_path):
    ours = encoder(in_channels=in_channels)

    load_pretrained(ours, str(saved(tmp_path / "w.safetensors", weights)), in_channels)

    filters = ours.body.stem.conv.weight
    for channel in range(in_channels):
        torch.testing.assert_close(filters[:, channel], weights["stem.conv.weight"][:, channel % 3] * 3 / in_channels)


@pytest.mark.parametrize("in_channels", [1, 5])
def test_filters_that_are_already_for_as_many_channels_stay_as_they_are(in_channels, tmp_path):
    theirs = whole(in_chans=in_channels)
    ours = encoder(in_channels=in_channels)

    load_pretrained(ours, str(saved(tmp_path / "w.safetensors", theirs.state_dict())), in_channels)

    assert same(ours, theirs, pictures(in_channels))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: without(w, "stem.conv"), r"1 tensors: stem\.conv\.weight is missing\. Nothing was loaded"),
        (lambda w: without(w, "stem"), r"5 tensors: stem\.conv\.weight is missing; .* …"),
        (lambda w: w | {"stem.conv.weight": torch.ones(32, 3, 5, 5)}, r"stem\.conv\.weight is 32×3×5×5, not 32×3×3×3"),
        (lambda w: w | {"s1.b2.bias": torch.ones(1)}, r"1 tensors: s1\.b2\.bias is not of this model"),
        (lambda w: {"one": torch.ones(1)}, r"tensors: one is not of this model; stem\.conv\.weight is missing"),
        (lambda w: whole("mobilenetv3_small_050").state_dict(), "do not fit 'regnetx_002'"),
    ],
    ids=["one missing", "some missing", "other shape", "one too many", "none fits", "other model"],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_loaded(change, message, weights, tmp_path):
    ours = encoder()
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}

    with pytest.raises(SettingError, match=message):
        load_pretrained(ours, str(saved(tmp_path / "w.pth", change(weights))), 3)

    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_the_front_of_a_larger_model_is_not_taken_for_a_smaller_one(tmp_path):
    """Every tensor of a ResNet-18 is in a ResNet-34 by the same name and shape."""
    path = saved(tmp_path / "w.pth", whole("resnet34").state_dict())

    with pytest.raises(SettingError, match=r"80 tensors: layer1\.2\.conv1\.weight is not of this model"):
        load_pretrained(encoder("resnet18", depth=1), str(path), 3)


def test_a_first_convolution_that_cannot_be_adapted_is_refused(weights, tmp_path):
    weights["stem.conv.weight"] = torch.ones(32, 4, 3, 3)

    with pytest.raises(SettingError, match=r"stem\.conv\.weight is 32×4×3×3, not 32×3×3×3"):
        load_pretrained(encoder(in_channels=5), str(saved(tmp_path / "w.pth", weights)), 5)


class Trap:
    def __reduce__(self):
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("trap.pth", {"state_dict": Trap()}, "holds more than tensors"),
        ("whole.pth", torch.nn.Linear(1, 1), "holds more than tensors"),
        ("empty.pth", {"epoch": 3}, "holds no weights by name"),
        ("list.pth", [torch.ones(1)], "holds no weights by name"),
        ("noise.pth", b"no zip, no pickle", "holds more than tensors|damaged"),
        ("short.safetensors", b"\x10\0\0\0\0\0\0\0{", "damaged or cut short"),
        ("weights.npz", b"", r"end in \.safetensors, \.pth, \.pt, \.bin"),
        ("gone.pth", None, "no such file exists"),
    ],
)
def test_files_that_hold_no_weights_are_refused(name, content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)

    with pytest.raises(SettingError, match=message):
        load_pretrained(encoder(), str(path), 3)

    assert not Path("sprung").exists()


def test_loading_moves_no_later_draw(weights, tmp_path):
    path = str(saved(tmp_path / "w.safetensors", weights))
    ours = encoder()
    torch.manual_seed(2)
    expected = torch.rand(3)

    torch.manual_seed(2)
    load_pretrained(ours, path, 3)

    assert torch.equal(torch.rand(3), expected)


def test_images_of_other_channels_than_the_encoders_are_refused():
    with pytest.raises(SettingError, match="built for 3 channels, the images have 4"):
        load_pretrained(encoder(), "pretrained", 4)


# timm's own weights, without a network


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
