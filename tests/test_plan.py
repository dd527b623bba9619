"""The plan: a value and a reason for everything, and the user's wishes above all."""

import pytest

from maskwright.data.fingerprint import Fingerprint
from maskwright.devices import DeviceSettings
from maskwright.errors import DataError, SettingError
from maskwright.model.sizes import output_size
from maskwright.plan import Plan, decide, demand_fitting
from maskwright.settings import Budget

CPU = DeviceSettings(threads=2)
GPU = DeviceSettings(name="cuda", precision="bf16-mixed", channels_last=True)


def fingerprint(**changes):
    values = {
        "train": 40, "val": 8, "test": 0, "channels": 1, "dtype": "uint8",
        "smallest": (256, 256), "median": (256, 256), "largest": (256, 256),
        "low": 0, "high": 255, "mean": (100.0,), "std": (40.0,),
        "classes": ("background", "foreground"), "pixel_share": (0.7, 0.3),
        "image_share": (1.0, 1.0), "ignored_share": 0,
    }  # fmt: skip
    if changes.get("channels") == 3:
        values |= {"mean": (100.0,) * 3, "std": (40.0,) * 3}
    return Fingerprint(**{**values, **changes})


STREET = fingerprint(
    channels=3, median=(360, 480), classes=tuple("abcdefghijk"), pixel_share=(0.3, 0.3, 0.3, *[0.0125] * 8),
    image_share=(1.0,) * 11,
)  # fmt: skip


@pytest.mark.parametrize("device", [CPU, GPU])
@pytest.mark.parametrize("budget", [None, Budget(minutes=4), Budget(epochs=20)])
@pytest.mark.parametrize("data", [fingerprint(), STREET, fingerprint(median=(101, 101)), fingerprint(median=(5, 3000))])
def test_every_group_of_settings_has_a_reason_and_the_plan_survives_being_saved(data, budget, device, tmp_path):
    plan = decide(data, budget=budget, device=device)
    groups = {key.split(".")[0] for key in plan.reasons}
    assert groups == {"preprocess", "model", "sampling", "augment", "loss", "training", "tiles", "device"}
    assert all(plan.reasons.values())
    assert Plan.load(plan.save(tmp_path / "plan.yaml")) == plan
    demand_fitting(plan, data)


def test_crops_are_multiples_of_the_stride_and_small_images_are_seen_whole():
    for data in (fingerprint(), STREET, fingerprint(median=(2000, 3000))):
        plan = decide(data, budget=Budget(minutes=4), device=CPU)
        assert all(side % plan.model.stride == 0 for side in plan.sampling.crop)
    assert decide(fingerprint(), device=CPU).sampling.crop == (256, 256)
    assert decide(fingerprint(median=(2000, 3000)), device=GPU).sampling.crop == (256, 256)


def test_little_time_makes_steps_cheap_and_a_gpu_is_not_spared():
    quick = decide(STREET, budget=Budget(minutes=4), device=CPU)
    slow = decide(STREET, budget=Budget(minutes=240), device=CPU)
    gpu = decide(STREET, budget=Budget(minutes=4), device=GPU)
    assert quick.preprocess.scale < slow.preprocess.scale
    assert quick.model.level_widths[0] < slow.model.level_widths[0]
    assert slow.model == gpu.model


def test_rare_classes_weigh_more_but_less_than_their_rarity():
    weights = decide(STREET).loss.class_weights
    assert weights is not None
    assert 1 < weights[-1] / weights[0] < 0.3 / 0.0125
    assert decide(fingerprint()).loss.class_weights is None


def test_a_wish_is_obeyed_noted_and_understood_in_short():
    plan = decide(STREET, device=CPU, wishes={"optimizer.lr": "1e-3", "model.depth": 2, "loss.terms": {"dice": 1}})
    assert plan.training.optimizer.lr == 1e-3
    assert plan.model.depth == 2
    assert plan.loss.terms == {"dice": 1}
    assert plan.reasons["training.optimizer.lr"] == "as asked for"


def test_crops_follow_the_size_and_network_that_were_wished():
    small = decide(STREET, device=CPU, wishes={"preprocess.scale": 0.25})
    assert small.sampling.crop[0] < decide(STREET, device=CPU).sampling.crop[0]
    valid = decide(STREET, device=CPU, wishes={"model.padding": "valid", "model.stem": 1, "model.depth": 2})
    assert output_size(valid.model, valid.sampling.crop[0]) is not None
    fixed = decide(STREET, device=CPU, wishes={"preprocess.scale": 0.25, "sampling.crop": [64, 64]})
    assert fixed.sampling.crop == (64, 64)


@pytest.mark.parametrize(
    ("wish", "meant"), [("model.dpeth", "model.depth"), ("optimzer.lr", "optimizer.lr"), ("ema_", "ema")]
)
def test_an_unknown_setting_names_the_nearest(wish, meant):
    with pytest.raises(SettingError, match=meant):
        decide(STREET, wishes={wish: 1})


def test_a_value_that_does_not_fit_says_so():
    with pytest.raises(SettingError, match=r"model\.depth"):
        decide(STREET, wishes={"model.depth": "deep"})


def test_a_plan_of_other_data_is_refused():
    plan = decide(STREET)
    with pytest.raises(SettingError, match="11 classes"):
        demand_fitting(plan, fingerprint())
    wrong = decide(fingerprint(), wishes={"model.in_channels": 3})
    with pytest.raises(SettingError, match="channels"):
        demand_fitting(wrong, fingerprint())


def test_a_crop_that_does_not_fit_a_valid_network_is_refused_before_training():
    wishes = {"model.padding": "valid", "model.stem": 1, "model.depth": 2, "sampling.crop": [64, 65]}
    plan = decide(fingerprint(), device=CPU, wishes=wishes)
    with pytest.raises(DataError, match="nearest sizes that fit"):
        demand_fitting(plan, fingerprint())
