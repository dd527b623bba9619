"""Weights of a file in an encoder: each tensor in its place, or an error and nothing loaded."""

import argparse
import hashlib
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.model.encoder_models import NAME, SWIN, encoder, pictures, same, saved, whole, without

from maskwright.errors import SettingError
from maskwright.model.encoders.taps import taps_of
from maskwright.model.encoders.weights import load_pretrained

timm = pytest.importorskip("timm")


@pytest.fixture
def small_swin(monkeypatch):
    """Swin as timm builds it, but of a width and depth that are quick to draw."""
    small = partial(timm.create_model, embed_dim=24, depths=(2, 2, 2, 2), num_heads=(1, 1, 2, 2))
    taps_of.cache_clear()
    monkeypatch.setattr(timm, "create_model", small)
    yield
    taps_of.cache_clear()


@pytest.fixture(scope="module")
def model():
    return whole()


@pytest.fixture
def weights(model):
    return dict(model.state_dict())


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
