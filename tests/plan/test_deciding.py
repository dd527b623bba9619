"""The plan: a value and a reason for everything, and the user's wishes above all."""

import re

import pytest

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.learned_objects import LearnedObjects, ObjectSettings
from maskwright.data.touching import Touching
from maskwright.devices import DeviceSettings
from maskwright.errors import DataError, SettingError
from maskwright.model.sizes import output_size
from maskwright.plan import Cost, Plan, decide, demand_fitting, estimate, follow, with_outputs
from maskwright.recipes import recipe
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


def test_what_is_measured_decides_and_is_told():
    """On a machine a hundred times as slow the network is smaller; the plan says what was measured."""
    budget, seen = Budget(minutes=10), []

    def slow(plan):
        seen.append(plan)
        return Cost(100 * estimate(plan).seconds, 10**9)

    estimated = decide(STREET, budget=budget, device=CPU)
    measured = decide(STREET, budget=budget, device=CPU, measure=slow)
    assert measured.model.level_widths < estimated.model.level_widths
    assert all(one.estimated for one in estimated.measured)
    assert not any(one.estimated for one in measured.measured)
    assert "estimated" in estimated.reasons["model"]
    assert re.search(
        r"widths 16 … 128.* s a step measured, about \d+ steps.*24 … 160.* from 220 steps", measured.reasons["model"]
    )
    assert len(seen) <= 8, "measuring is to take seconds"


@pytest.mark.parametrize("faster", [False, True])
def test_the_order_of_memory_is_the_faster_one(faster):
    def machine(plan):
        return Cost(estimate(plan).seconds * (0.8 if plan.device.channels_last == faster else 1.0), 0)

    plan = decide(STREET, budget=Budget(minutes=4), device=CPU, measure=machine)
    assert plan.device.channels_last == faster
    assert "the other way" in plan.reasons["device"]
    asked = decide(STREET, device=CPU, measure=machine, wishes={"device.channels_last": not faster})
    assert asked.device.channels_last != faster
    assert asked.reasons["device.channels_last"] == "as asked for"


def test_where_nothing_is_left_to_choose_nothing_is_measured():
    def never(plan):
        raise AssertionError

    wishes = {
        "model.base": 8, "model.depth": 2, "model.stem": 1, "model.decoder_convolutions": 1, "preprocess.scale": 1,
        "device.channels_last": True,
    }  # fmt: skip
    assert decide(fingerprint(), device=CPU, measure=never, wishes=wishes).measured == ()


def test_little_memory_makes_batches_and_then_crops_smaller():
    def machine(plan):
        (height, width), batch = plan.sampling.crop, plan.sampling.batch
        return Cost(0.01, 2000 * height * width * batch)

    sizes = {}
    for gigabytes in (4.0, 0.3, 0.08):
        plan = decide(fingerprint(), memory=gigabytes, device=CPU, measure=machine)
        sizes[gigabytes] = plan.sampling.batch, plan.sampling.crop[0]
        assert machine(plan).bytes <= gigabytes * 1e9
        assert plan.sampling.crop[0] % plan.model.stride == 0
        assert plan.sampling.batch >= 2, "batch norm takes two"
        assert f"{gigabytes:g} allowed" in plan.reasons["sampling"]
    assert sizes == {4.0: (4, 256), 0.3: (2, 256), 0.08: (2, 128)}
    with pytest.raises(SettingError, match=r"at least .* GB.*--memory"):
        decide(fingerprint(), memory=0.001, device=CPU, measure=machine)


def test_a_thin_class_keeps_the_grid_fine():
    cracks = fingerprint(median=(512, 512), thickness=(60.0, 2.1))
    plan = decide(cracks, budget=Budget(minutes=4), device=CPU)
    assert plan.model.stem == 1
    assert "foreground is 2.1 pixels wide" in plan.reasons["preprocess.scale"]
    assert decide(fingerprint(median=(512, 512), thickness=(60.0, 9.0)), device=CPU).model.stem == 2


def test_crops_of_large_images_with_rare_classes_are_drawn_around_them():
    cracks = {"median": (800, 800), "pixel_share": (0.985, 0.015)}
    plan = decide(fingerprint(**cracks), budget=Budget(minutes=4), device=CPU)
    assert 0 < plan.sampling.rare < 1
    assert "1.5%" in plan.reasons["sampling"]
    assert decide(fingerprint(median=(800, 800))).sampling.rare == 0
    assert decide(fingerprint(pixel_share=(0.985, 0.015))).sampling.rare == 0, "a whole image shows all it has"


def test_few_images_are_bent_in_colour_too():
    assert decide(fingerprint(channels=3, train=12)).augment.elastic > 0
    assert decide(fingerprint(channels=3, train=120)).augment.elastic == 0


def test_without_a_budget_training_goes_on_until_the_score_has_settled():
    plan = decide(fingerprint())
    assert plan.training.budget == Budget(settled=True)
    assert plan.training.validation.every >= 40 / 4
    assert decide(fingerprint(val=0)).training.budget.steps


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
    with pytest.raises(DataError, match="nearest sizes that fit"):
        decide(fingerprint(), device=CPU, wishes=wishes)
    plan = decide(fingerprint(), device=CPU, wishes={**wishes, "sampling.crop": [64, 64]})
    with pytest.raises(DataError, match="nearest sizes that fit"):
        demand_fitting(plan.with_settings({"sampling.crop": [64, 65]}), fingerprint())


def crowd(touching=0.3, **changes):
    """Data whose masks tell objects apart, so many of which touch another."""
    seen = Touching(masks=9, objects=400, touching=touching, border=0.002, diameter=18.0)
    return fingerprint(objects=seen, **changes)


def test_where_many_objects_touch_they_are_taken_apart_by_their_shape():
    plan = decide(crowd(), device=CPU)
    assert plan.objects == ObjectSettings(how="distance")
    assert plan.model.classes == 2
    assert "30% of the objects touch another" in plan.reasons["objects"]
    demand_fitting(plan, crowd())


def test_where_few_objects_touch_or_masks_do_not_tell_them_apart_nothing_is_learned():
    few = decide(crowd(0.01), device=CPU)
    assert few.objects is None
    assert "1% of the objects" in few.reasons["objects"]
    none = decide(fingerprint(), device=CPU)
    assert none.objects is None
    assert "objects" not in none.reasons
    assert few.model.classes == none.model.classes == 2
    for plan, data in ((few, crowd(0.01)), (none, fingerprint())):
        demand_fitting(plan, data)


@pytest.mark.parametrize(
    ("asked", "how", "outputs"), [("border", "border", 3), ("centre", "centre", 3), ("distance", "distance", 2)]
)
@pytest.mark.parametrize("touching", [0.0, 0.5])
def test_how_objects_are_taken_apart_can_be_asked_for(asked, how, outputs, touching):
    plan = decide(crowd(touching), device=CPU, wishes={"objects": asked})
    assert plan.objects == ObjectSettings(how=how)
    assert plan.model.classes == outputs
    assert plan.reasons["objects"] == "as asked for"
    demand_fitting(plan, crowd(touching))


@pytest.mark.parametrize("asked", ["none", None])
def test_objects_may_be_left_together(asked):
    plan = decide(crowd(0.9), device=CPU, wishes={"objects": asked})
    assert (plan.objects, plan.model.classes, plan.loss.class_weights) == (None, 2, None)
    demand_fitting(plan, crowd(0.9))


def test_one_setting_of_objects_may_be_changed_and_the_plan_survives_being_saved(tmp_path):
    plan = decide(crowd(), device=CPU, wishes={"objects.how": "centre", "objects.core": 0.4})
    assert plan.model.classes == 3
    assert plan.objects.learned == LearnedObjects(kind="centre", core=0.4)
    assert Plan.load(plan.save(tmp_path / "plan.yaml")) == plan
    with pytest.raises(SettingError, match=r"objects\.how"):
        decide(crowd(), wishes={"objects": "skeleton"})


def test_an_output_comes_and_goes_with_what_is_learned_of_objects():
    with_border = decide(crowd(), device=CPU, wishes={"objects": "border"})
    without = with_border.with_wishes({"objects": "none"})
    assert with_outputs(without, with_border).model.classes == 2
    single = decide(fingerprint(), device=CPU, wishes={"model.classes": 1})
    assert with_outputs(single.with_wishes({"objects": "border"}), single).model.classes == 3
    stated = with_border.with_wishes({"objects": "none", "model.classes": 4})
    assert with_outputs(stated, with_border).model.classes == 4


def test_a_recipe_learns_nothing_of_objects_unless_asked():
    data = crowd(channels=1)
    plan = follow(recipe("salt-unet"), data, device=CPU)
    assert plan.objects is None
    asked = follow(recipe("salt-unet"), data, device=CPU, wishes={"objects": "border"})
    assert asked.model.classes == 3
    demand_fitting(asked, data)


@pytest.mark.parametrize("kind", ["border", "centre"])
def test_objects_that_masks_do_not_tell_apart_cannot_be_learned(kind):
    plan = decide(fingerprint(), device=CPU, wishes={"objects": kind})
    with pytest.raises(SettingError, match=r"do not tell one object from another.*instances: true.*objects=distance"):
        demand_fitting(plan, fingerprint())


def test_borders_are_weighed_or_learned_not_both():
    wishes = {"objects": "border", "loss.border": {"w0": 10, "balance": False}, "loss.class_weights": None}
    with pytest.raises(SettingError, match=r"loss\.border=null or objects=none"):
        demand_fitting(decide(crowd(), device=CPU, wishes=wishes), crowd())


def test_borders_between_objects_are_a_rare_class():
    """They weigh more, and in crops of large images they are looked for."""
    large = crowd(median=(2000, 3000), pixel_share=(0.6, 0.4))
    learned = decide(large, device=CPU, wishes={"objects": "border"})
    assert learned.sampling.rare > 0
    weights = learned.loss.class_weights
    assert weights[2] > 5 * max(weights[:2])
    plain = decide(large, device=CPU)
    assert (plain.sampling.rare, plain.loss.class_weights) == (0, None)


def test_windows_are_as_large_as_the_first_maps_let_them_be():
    sides = []
    for base, stem in ((16, 1), (32, 1), (64, 1), (16, 2), (8, 4)):
        settings = {"model.base": base, "model.max_width": 16 * base, "model.stem": stem}
        plan = decide(fingerprint(median=(800, 800)), device=CPU, wishes=settings)
        side = plan.tiles.window[0]
        assert side == plan.tiles.window[1]
        assert side % plan.model.stride == 0
        assert 4 * plan.model.level_widths[0] * (side / stem) ** 2 <= 2**25 or side == 512
        sides.append(side)
    assert sides == [720, 512, 512, 1440, 2048]
