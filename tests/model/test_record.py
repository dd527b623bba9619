import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskwright.errors import SettingError
from maskwright.model import UNet, UNetRecord, blocks


@given(data=st.data())
def test_a_record_comes_back_from_json_and_yaml_as_it_was(records, data, tmp_path_factory):
    record = data.draw(records(init=st.sampled_from(["he_truncated", "he_normal", "torch"])))
    folder = tmp_path_factory.mktemp("records")

    assert UNetRecord.load(record.save(folder / "model.json")) == record
    assert UNetRecord.load(record.save(folder / "model.yaml")) == record
    assert UNetRecord.read(record.plain()) == record


@pytest.mark.parametrize(("wrong", "meant"), [("dpeth", "depth"), ("width", "widths"), ("qqq", None)])
def test_an_unknown_setting_names_the_nearest(wrong, meant):
    with pytest.raises(SettingError, match=wrong) as caught:
        UNet(**{wrong: 3})

    assert (f"Did you mean {meant!r}?" if meant else "depth, ") in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("depth", 0),
        ("depth", 9),
        ("base", 0),
        ("growth", 0.5),
        ("dropout", 1.0),
        ("norm", "weight"),
        ("dims", 1),
        ("up", "cubic"),
        ("squeeze", 0),
        ("padding", "full"),
        ("stem", 3),
        ("classes", 0),
        ("in_channels", 0),
        ("widths", (4, 8)),
        ("widths", (4, 8, 0, 8, 8)),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_setting(setting, value):
    with pytest.raises(SettingError) as caught:
        UNet(**{setting: value})

    assert setting in str(caught.value) or "level" in str(caught.value)


def test_a_valid_network_has_no_strided_stem():
    with pytest.raises(SettingError, match="set stem to 1 or padding to same"):
        UNet(padding="valid", stem=2)


def test_widths_grow_from_the_base_to_the_widest():
    assert UNetRecord(depth=4, base=32, growth=2, max_width=200).level_widths == (32, 64, 128, 200, 200)
    assert UNetRecord(depth=3, base=10, growth=1.5).level_widths == (10, 15, 22, 34)  # 22.5 and 33.75, rounded
    assert UNetRecord(depth=2, base=7, growth=1).level_widths == (7, 7, 7)


def test_listed_widths_stand_in_place_of_base_and_growth():
    record = UNetRecord(depth=2, widths=(3, 11, 5), base=64)

    assert record.level_widths == (3, 11, 5)
    levels = UNet(**record.plain()).encoder.blocks
    assert [level[-1].convolutions[-1][0].out_channels for level in levels] == [3, 11, 5]


def test_the_decoder_has_as_many_convolutions_and_channels_as_the_encoder_unless_told():
    assert UNetRecord(depth=2, convolutions=3).level_decoder_convolutions == (3, 3)
    assert UNetRecord(depth=2, convolutions=(3, 2, 1)).level_decoder_convolutions == (3, 2)
    assert UNetRecord(depth=2, convolutions=3, decoder_convolutions=1).level_decoder_convolutions == (1, 1)
    assert UNetRecord(depth=2, decoder_convolutions=(1, 4)).level_decoder_convolutions == (1, 4)
    assert UNetRecord(depth=2, base=8).level_decoder_widths == (8, 16)
    assert UNetRecord(depth=2, base=8, decoder_widths=(5, 6)).level_decoder_widths == (5, 6)


def test_one_number_stands_for_all_levels():
    record = UNetRecord(depth=3, blocks=2, convolutions=(1, 2, 3, 4))

    assert record.level_blocks == (2, 2, 2, 2)
    assert record.level_convolutions == (1, 2, 3, 4)


def test_without_convolutions_the_finest_level_hands_the_image_over():
    record = UNetRecord(in_channels=1, depth=2, base=8, convolutions=(0, 1, 1), decoder_convolutions=1)

    assert record.level_blocks == (0, 1, 1)
    assert record.encoder_channels == (1, 16, 32)
    assert record.model_copy(update={"stem": 2}).encoder_channels == (8, 16, 32)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"widths": (4, 8)}, "widths has 2 numbers, depth 4 wants 5: one a level"),
        ({"blocks": (1, 1)}, "blocks has 2 numbers, depth 4 wants 5"),
        ({"convolutions": (1, 1)}, "convolutions has 2 numbers, depth 4 wants 5"),
        ({"decoder_convolutions": (1,) * 5}, "depth 4 wants 4: one a level without the bottleneck"),
        ({"decoder_widths": (1,) * 5}, "decoder_widths has 5 numbers, depth 4 wants 4"),
        ({"decoder_widths": (1, 0, 1, 1)}, "decoder_widths: every level has at least one channel"),
        ({"convolutions": 0}, "convolutions: every level has at least 1; only the finest may have 0"),
        ({"convolutions": (2, 0, 2, 2, 2)}, "convolutions: every level has at least 1"),
        ({"convolutions": (-1, 2, 2, 2, 2)}, "convolutions: every level has at least 1"),
        ({"convolutions": 65}, "65 on a level are too many"),
        ({"blocks": 0}, "blocks: every level has at least 1"),
        ({"blocks": (0, 1, 1, 1, 1)}, "0 blocks only where convolutions has 0 there too"),
        ({"decoder_convolutions": (1, 0, 1, 1), "skip": "none"}, "decoder_convolutions: every level has at least 1"),
        ({"decoder_convolutions": (0, 1, 1, 1)}, "nothing to read a skip with .skip=concat.; set skip to none"),
        ({"convolutions": (0, 2, 2, 2, 2)}, "set skip to none, or decoder_convolutions to at least 1"),
        ({"norm_at": "block", "block": "residual"}, "norm_at=block is for plain blocks only"),
        ({"norm_at": "block", "encoder": {"name": "residual"}}, "norm_at=block is for plain blocks only"),
        ({"padding": "valid", "encoder": {"name": "resnet34"}}, "the encoder resnet34 is padded; set padding to same"),
        ({"stem": 2, "encoder": {"name": "resnet34"}}, "the encoder resnet34 has a stem of its own"),
        ({"encoder": {"weights": "pretrained"}}, "a plain encoder has no weights to begin with"),
        ({"encoder": {"image_skip": True}}, "image_skip is for timm encoders"),
        ({"skip": "add", "up_width": "same"}, "level 3 the skip has 256 channels, what comes up has 512; set up_width"),
        ({"skip": "add", "decoder_widths": (32, 60, 128, 256)}, "level 1 the skip has 64 channels.*has 60; give both"),
        (
            {"skip": "add", "convolutions": (0, 2, 2, 2, 2), "decoder_convolutions": 1},
            "level 0 the skip has 3 channels",
        ),
    ],
)
def test_what_cannot_be_is_told_with_a_way_out(settings, said):
    with pytest.raises(SettingError, match=said):
        UNetRecord.read(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"skip": "add", "up_width": "same", "growth": 1.0},
        {"skip": "add", "up_width": "same", "encoder": {"name": "resnet34"}},  # its channels are known when it is built
        {"skip": "none", "convolutions": (0, 2, 2, 2, 2)},
        {"skip": "none", "decoder_convolutions": (0, 1, 1, 1)},
        {"blocks": (0, 1, 1, 1, 1), "convolutions": (0, 2, 2, 2, 2), "decoder_convolutions": 1},
        {"stem": 4, "deep_supervision": True, "skip": "nested", "dims": 3},
        {"norm_at": "block", "encoder": {"name": "resnet34"}},
    ],
)
def test_what_can_be_is_not_complained_about(settings):
    UNetRecord.read(settings)


def test_the_stride_counts_the_stem_and_every_halving():
    assert UNetRecord(depth=4).stride == 16
    assert UNetRecord(depth=3, stem=4).stride == 32


@pytest.mark.parametrize(
    ("where", "levels", "decoder"),
    [("bottleneck", {4}, 0), ("deep", {3, 4}, 0), ("encoder", set(range(5)), 0), ("all", set(range(5)), 0.3)],
)
def test_dropout_lies_where_it_is_wanted(where, levels, decoder):
    record = UNetRecord(depth=4, dropout=0.3, dropout_at=where)

    assert {level for level in range(5) if record.encoder_dropout(level)} == levels
    assert record.decoder_dropout == decoder
    none = UNetRecord(depth=4, dropout_at=where)
    assert not any(none.encoder_dropout(level) for level in range(5))
    assert not none.decoder_dropout


def test_dropout_before_the_blocks_spares_the_image():
    record = UNetRecord(depth=2, blocks=2, dropout=0.3, dropout_at="encoder", dropout_place="before")

    assert [[record.encoder_dropout(level, i) for i in range(2)] for level in range(3)] == [
        [0, 0.3],
        [0.3] * 2,
        [0.3] * 2,
    ]
    imageless = UNetRecord.read({**record.plain(), "convolutions": (0, 2, 2), "decoder_convolutions": 1})
    assert [imageless.encoder_dropout(level) for level in (1, 2)] == [0, 0.3]


def test_only_norms_with_fixed_statistics_or_of_one_pixel_are_local():
    local = {norm: UNetRecord(norm=norm).is_local for norm in ("batch", "none", "layer", "instance", "group")}

    assert local == {"batch": True, "none": True, "layer": True, "instance": False, "group": False}
    assert not UNetRecord(squeeze=4).is_local
    assert not UNetRecord(encoder={"name": "resnet34"}).is_local


def test_norms_can_be_the_encoder_s_only():
    record = UNetRecord(depth=1, norm_in="encoder", up_unit=True, block="preactivation")
    names = [name for name, module in UNet(**record.plain()).named_modules() if isinstance(module, nn.BatchNorm2d)]

    assert names
    assert all(name.startswith("encoder.") for name in names)


def test_the_encoder_can_be_residual_on_its_own():
    network = UNet(depth=1, base=4, encoder={"name": "residual"})

    assert isinstance(network.encoder.blocks[1][0], blocks.ResidualBlock)
    assert isinstance(network.decoder.blocks[0], blocks.PlainBlock)
