import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.model import UNet, UNetRecord


@given(data=st.data())
def test_a_record_comes_back_from_json_and_yaml_as_it_was(records, data, tmp_path_factory):
    record = data.draw(records(init=st.sampled_from(["he_normal", "torch"])))
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
        ("norm", "layer"),
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
    assert [encode.convolutions[-1][0].out_channels for encode in UNet(**record.plain()).encoder] == [3, 11, 5]


def test_the_decoder_has_as_many_convolutions_as_the_encoder_unless_told():
    assert UNetRecord(convolutions=3).up_convolutions == 3
    assert UNetRecord(convolutions=3, decoder_convolutions=1).up_convolutions == 1


def test_the_stride_counts_the_stem_and_every_halving():
    assert UNetRecord(depth=4).stride == 16
    assert UNetRecord(depth=3, stem=4).stride == 32


@pytest.mark.parametrize(
    ("where", "levels"), [("bottleneck", {4}), ("deep", {3, 4}), ("all", {0, 1, 2, 3, 4})]
)  # fmt: skip
def test_dropout_lies_where_it_is_wanted(where, levels):
    record = UNetRecord(depth=4, dropout=0.3, dropout_at=where)

    assert {level for level in range(5) if record.has_dropout(level)} == levels
    assert not any(UNetRecord(depth=4, dropout_at=where).has_dropout(level) for level in range(5))


def test_only_norms_with_fixed_statistics_are_local():
    local = {norm: UNetRecord(norm=norm).is_local for norm in ("batch", "none", "instance", "group")}

    assert local == {"batch": True, "none": True, "instance": False, "group": False}
