import copy
import sys
from functools import cache, partial

import pytest
import torch

from maskwright.errors import SettingError
from maskwright.model.encoders.taps import taps_of
from maskwright.model.encoders.timm import TimmEncoder
from maskwright.model.record import EncoderRecord, UNetRecord

timm = pytest.importorskip("timm")

# Quick to build, and of every kind: lists of modules, hooks, getters, own classes; maps B C H W and B H W C.
MODELS = {
    "resnet18": (None, 64, 64, 128, 256, 512),
    "resnet34": (None, 64, 64, 128, 256, 512),
    "mobilenetv3_small_050": (None, 16, 8, 16, 24, 288),
    "efficientnet_lite0": (None, 16, 24, 40, 112, 320),
    "regnetx_002": (None, 32, 24, 56, 152, 368),
    "densenet121": (None, 64, 256, 512, 1024, 1024),
    "convnext_atto": (None, None, 40, 80, 160, 320),
    "swin_tiny_patch4_window7_224": (None, None, 96, 192, 384, 768),
    "mambaout_femto": (None, None, 48, 96, 192, 288),
    "dla46_c": (16, 32, 64, 64, 128, 256),
    "twins_svt_small": (None, None, 64, 128, 256, 512),
    "xception41": (None, 128, 256, 728, 1024, 2048),
}
SWIN = "swin_tiny_patch4_window7_224"


@pytest.fixture
def small_swin(monkeypatch):
    """Swin as timm builds it, but of a width and depth that are quick to draw."""
    small = partial(timm.create_model, embed_dim=24, depths=(2, 2, 2, 2), num_heads=(1, 1, 2, 2))
    taps_of.cache_clear()
    monkeypatch.setattr(timm, "create_model", small)
    yield small
    taps_of.cache_clear()


def encoder(name, depth=5, in_channels=3, **settings):
    settings = EncoderRecord(name=name, **settings)
    return TimmEncoder(UNetRecord(depth=depth, in_channels=in_channels, encoder=settings))


as_built = cache(encoder)  # for tests that change nothing


def pictures(in_channels=3, height=64, width=64, batch=1):
    return torch.rand(batch, in_channels, height, width, generator=torch.Generator().manual_seed(0))


def shapes(maps):
    return [None if features is None else tuple(features.shape) for features in maps]


@pytest.mark.parametrize("name", MODELS)
def test_maps_halve_from_one_to_the_next_and_have_the_channels_that_are_said(name):
    model = as_built(name)

    maps = model(pictures(height=64, width=96))

    assert model.channels == MODELS[name]
    assert shapes(maps) == [
        channels and (1, channels, 64 // 2**place, 96 // 2**place) for place, channels in enumerate(model.channels)
    ]


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_gets_a_gradient_and_is_in_one_level(name):
    model = as_built(name)
    model.zero_grad()

    sum(features.square().mean() for features in model(pictures(batch=2)) if features is not None).backward()

    assert all(parameter.grad is not None for parameter in model.parameters())
    inside = [id(parameter) for level in model.levels() for parameter in level]
    assert sorted(inside) == sorted(map(id, model.parameters()))


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("resnet18", 1),
        ("resnet18", 3),
        ("mobilenetv3_small_050", 1),
        ("mobilenetv3_small_050", 2),
        ("mobilenetv3_small_050", 4),
        ("dla46_c", 2),
        ("xception41", 3),
    ],
)
def test_a_shallower_encoder_keeps_no_parameter_that_learns_nothing(name, depth):
    model = encoder(name, depth)
    full = as_built(name)

    maps = model(pictures(batch=2))
    sum(features.square().mean() for features in maps if features is not None).backward()

    assert model.channels == MODELS[name][: depth + 1]
    assert shapes(maps) == shapes(full(pictures(batch=2)))[: depth + 1]
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in learning)
    assert sum(map(len, model.levels())) == len(learning)
    # The last convolution before Xception's hook is in the middle of a block, whose rest cannot be taken out.
    if name != "xception41":
        assert len(learning) == len(list(model.parameters())) < len(list(full.parameters()))


def test_levels_run_from_the_stem_to_the_last_stage():
    model = encoder("resnet18")
    names = {id(parameter): name for name, parameter in model.body.named_parameters()}

    stages = [{names[id(parameter)].split(".")[0] for parameter in level} for level in model.levels()]

    assert stages == [{"conv1", "bn1"}, {"layer1"}, {"layer2"}, {"layer3"}, {"layer4"}]


def test_a_level_is_what_its_map_needs_beyond_the_maps_before():
    """The slow twin: which parameters get a gradient when only this map is looked at."""
    model = encoder("efficientnet_lite0", depth=4)
    before: set[int] = set()

    for features, level in zip(model(pictures(batch=2))[1:], model.levels(), strict=True):
        model.zero_grad()
        features.square().mean().backward(retain_graph=True)
        reached = {id(parameter) for parameter in model.parameters() if parameter.grad is not None}
        assert reached - before == {id(parameter) for parameter in level}
        before |= reached


@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "efficientnet_lite0"])
def test_images_have_any_number_of_channels(name, in_channels):
    assert encoder(name, 2, in_channels)(pictures(in_channels))[2].shape[2:] == (16, 16)


def test_the_image_itself_can_be_the_finest_skip():
    model = encoder("resnet18", depth=2, in_channels=5, image_skip=True)
    images = pictures(5)

    assert model.channels == (5, 64, 64)
    assert torch.equal(model(images)[0], images)


def test_a_model_with_features_at_full_size_gives_these_rather_than_the_image():
    model = encoder("dla46_c", depth=2, image_skip=True)

    assert model.channels == (16, 32, 64)
    assert model(pictures())[0].shape == (1, 16, 64, 64)


def test_the_maps_are_those_of_timms_own_model(small_swin):
    torch.manual_seed(3)
    ours = encoder(SWIN).eval()
    torch.manual_seed(3)
    whole = small_swin(SWIN, strict_img_size=False).eval()
    images = pictures()

    theirs = whole.forward_intermediates(images, intermediates_only=True, norm=False)

    for mine, other in zip(ours(images)[2:], theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "tiny_vit_5m_224"])
def test_built_without_numbers_and_then_given_weights_it_computes_the_same(name):
    drawn = encoder(name, depth=3).eval()
    with torch.device("meta"):
        empty = encoder(name, depth=3).eval()
    assert all(parameter.is_meta for parameter in empty.parameters())

    empty.load_state_dict(drawn.state_dict(), assign=True)

    for mine, other in zip(empty(pictures()), drawn(pictures()), strict=True):
        assert mine is other is None or torch.equal(mine, other)


def test_an_encoder_without_numbers_runs_without_numbers(small_swin):
    with torch.device("meta"):
        model = encoder(SWIN)
        maps = model(torch.zeros(1, 3, 64, 64))

    assert all(features.is_meta for features in maps if features is not None)


def test_filling_an_empty_encoder_moves_no_later_draw(small_swin):
    weights = encoder(SWIN).state_dict()
    with torch.device("meta"):
        empty = encoder(SWIN)
    torch.manual_seed(1)
    expected = torch.rand(3)

    torch.manual_seed(1)
    empty.load_state_dict(weights, assign=True)

    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", ["resnet18", "xception41"])
def test_a_copy_gives_its_own_maps(name):
    model = encoder(name, depth=3).eval()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.mul_(1.5)

    kept = model(pictures())[3]

    assert not torch.allclose(twin(pictures())[3], kept)
    assert torch.equal(model(pictures())[3], kept)


def test_the_same_seed_draws_the_same_weights_whatever_was_tried_before():
    def drawn():
        torch.manual_seed(5)
        return encoder("resnet18", depth=2).state_dict()

    first = drawn()
    encoder("resnet34", depth=1)

    assert all(torch.equal(tensor, first[name]) for name, tensor in drawn().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resent34"}, "Did you mean 'resnet34'"),
        ({"name": "zzqqq"}, r"timm\.list_models\(\)"),
        ({"name": "hf-hub:timm/resnet18.a1_in1k"}, "nor a model of timm"),
        ({"name": "resnet34.tv_in2k"}, "no weights tagged 'tv_in2k'. Known: .*tv_in1k"),
        (
            {"name": "resnet18", "depth": 6},
            "strides 2, 4, 8, 16, 32, none at 64, .* Set depth to 1 or 2 or 3 or 4 or 5",
        ),
        ({"name": "convnext_atto", "depth": 1}, "strides 4, 8, 16, 32, none at 2, .* Set depth to 2 or 3 or 4 or 5"),
        ({"name": "vit_tiny_patch16_224", "depth": 4}, "at strides 16 only"),
        ({"name": "sequencer2d_s", "depth": 3}, "strides 7, 14, none at 8.* Choose another encoder"),
        ({"name": "maxvit_pico_rw_256"}, "does not take every image whose sides are multiples of 32: 96×160 failed"),
        (
            {"name": "legacy_xception"},
            "does not halve exactly: of 96×160 pixels its map at stride 2 has 45×77, not 48×80",
        ),
    ],
)
def test_what_cannot_be_an_encoder_is_refused_with_a_reason_and_a_way_out(settings, message):
    with pytest.raises(SettingError, match=message):
        encoder(**settings)


def test_a_timm_that_cannot_build_without_numbers_builds_with_them(monkeypatch):
    """As timm 1.0.3 and 1.0.15 do with ConvNeXt, whose rates of dropped paths they read off a tensor."""
    timms_own = timm.create_model
    expected = as_built("resnet18")

    def create_model(*names, **options):
        torch.linspace(0, 1, 2)[1].item()
        return timms_own(*names, **options)

    monkeypatch.setattr(timm, "create_model", create_model)
    taps_of.cache_clear()
    torch.manual_seed(4)
    after = torch.rand(1)

    torch.manual_seed(4)
    with torch.device("meta"):
        model = encoder("resnet18")

    assert torch.equal(torch.rand(1), after)
    assert (model.channels, model.taps) == (expected.channels, expected.taps)
    assert all(parameter.is_meta for parameter in model.parameters())


def test_a_model_that_timm_cannot_cut_is_refused(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("features_only not implemented")

    monkeypatch.setattr(timm, "create_model", refuse)

    with pytest.raises(SettingError, match=r"cannot be made an encoder \(features_only not implemented\)"):
        encoder("resnet26", depth=2)


def test_volumes_are_refused():
    with pytest.raises(SettingError, match="2-D images"):
        TimmEncoder(UNetRecord(dims=3, encoder=EncoderRecord(name="resnet18")))


def test_without_timm_the_way_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)

    with pytest.raises(SettingError, match=r'pip install "maskwright\[timm\]"'):
        encoder("resnet50", depth=2)
