"""Groups in the split of a whole folder."""

import numpy as np
import pytest
import tifffile

from maskwright.data.drawing import place
from maskwright.data.grouping import grouping
from maskwright.data.groups import crossing, paths_of
from maskwright.data.index import index
from maskwright.errors import DataError, SettingError


@pytest.fixture
def patients(paint):
    """Six patients of five slices each."""
    return paint.pairs(
        {f"patient{p}_{n}": (paint.image(), paint.mask(*[0] * p, 255)) for p in range(6) for n in range(5)}
    )


@pytest.fixture
def doubtful(paint):
    """Six days of five pictures each."""
    return paint.pairs({f"2019030{p}_{n}": (paint.image(), paint.mask()) for p in range(6) for n in range(5)})


def groups_of(part):
    return {sample.group for sample in part}


def apart(samples):
    return not crossing(samples.samples) and bool(samples.part("val")) and bool(samples.part("train"))


def test_patients_in_names_stay_together_unasked_and_it_is_said(patients):
    samples = index(patients)
    assert apart(samples)
    assert {s.name: s.group for s in samples.samples}["patient3_1"] == "patient3"
    assert (
        groups_of(samples.part("val")) == {f"patient{p}" for p in range(6) if place(f"patient{p}", 0) < 0.15}
        or len(groups_of(samples.part("val"))) == 1
    )
    note = samples.notes[3]
    assert note.startswith(
        "groups: 6 by name, never parted: names say patient, scene, video or the like, as images/patient0_"
    )
    assert "write split: {groups: none} in dataset.yaml, or --groups none" in note
    assert "of 6 groups, drawn by the group's name" in samples.notes[2]


@pytest.mark.parametrize("how", ["asked", "stated", "recipe"])
def test_none_draws_image_by_image_as_without_groups(how, patients, paint):
    if how == "stated":
        paint.write("dataset.yaml", "split: {groups: no}\n")
    samples = index(patients, **{"asked": {"groups": "none"}, "stated": {}, "recipe": {"propose": False}}[how])
    assert groups_of(samples.samples) == {None}
    assert {s.name for s in samples.part("val")} == {s.name for s in samples.samples if place(s.name, 0) < 0.15}
    assert len(samples.notes) == 2


def test_doubtful_groups_are_only_spoken_of_with_the_line_to_write(doubtful, paint):
    samples = index(doubtful)
    assert groups_of(samples.samples) == {None}
    (note,) = samples.notes[2:]
    assert note.startswith("names may show 6 groups: a name and a counter, as images/20190300_0 is of 20190300.")
    line = note.partition("write ")[2].removesuffix(" in dataset.yaml")
    paint.write("dataset.yaml", line + "\n")
    followed = index(doubtful)
    assert apart(followed)
    assert len(groups_of(followed.samples)) == 6
    assert followed.notes[3] == "groups: 6, as stated"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"share": 10},
        {"stratify": True},
        {"share": 0.3, "test_share": 0.3},
        {"folds": 3, "fold": 1},
        {"folds": 3, "stratify": True, "test_share": 5},
    ],
)
@pytest.mark.parametrize("stated", [r"_(\d)$", "{group}_*", "table.csv"])
def test_no_stated_group_is_parted_however_parts_are_drawn(options, stated, patients, paint):
    rows = [f"patient{p}_{n},{'wxyz'[p % 4]}" for p in range(6) for n in range(5)]
    paint.write("table.csv", "\n".join(rows))
    samples = index(patients, groups=stated, **options)
    assert apart(samples)
    assert None not in groups_of(samples.samples)
    if "test_share" in options:
        assert samples.part("test")


def test_a_mapping_in_the_file_may_have_numbers(paint):
    paint.pairs({name: (paint.image(), paint.mask()) for name in "0123"})
    paint.write("dataset.yaml", "split: {groups: {0: 7, 1: 7, 2: 8, 3: 9}, val: 2}\n")
    samples = index(paint.root)
    assert [s.group for s in samples.samples] == ["7", "7", "8", "9"]
    assert apart(samples)


def test_images_that_match_no_group_are_alone_and_counted(patients):
    samples = index(patients, groups="(patient[0-4])_")
    assert samples.notes[3] == "groups: 5, as stated; 5 images match no group and are alone"


def test_one_group_cannot_be_parted(patients):
    with pytest.raises(DataError, match=r"All 30 images of .* one group, 'patient', and a group is never parted"):
        index(patients, groups="(patient)")


def test_groups_that_a_test_pattern_parts_are_told_and_the_rest_stays_together(patients):
    samples = index(patients, test=["*_0"])
    train, val = (groups_of(samples.part(part)) for part in ("train", "val"))
    assert not train & val
    assert samples.notes[4].startswith("6 groups are in several parts, as these are published or named: patient")


def test_a_published_split_is_honoured_and_what_it_parts_is_said(paint):
    for part, slices in (("train", range(4)), ("val", [4])):
        names = [f"patient{p}_{n}" for p in range(6) for n in slices]
        paint.images(*(f"{part}/images/{name}.png" for name in names))
        paint.masks(*(f"{part}/masks/{name}.png" for name in names))
    samples = index(paint.root)
    assert {s.name[-1] for s in samples.part("val")} == {"4"}
    assert groups_of(samples.samples) == {None}
    assert samples.notes[2].startswith("names show 6 groups")
    assert samples.notes[2].endswith("6 of them are in several parts, as published")
    stated = index(paint.root, groups="{group}_*")
    assert [s.split for s in stated.samples] == [s.split for s in samples.samples]
    assert stated.notes[3].startswith("6 groups are in several parts")
    assert len(crossing(stated.samples)) == 6


def test_groups_that_a_published_split_keeps_together_need_no_word(paint):
    for part, patients in (("train", range(4)), ("val", [4, 5])):
        names = [f"patient{p}_{n}" for p in patients for n in range(5)]
        paint.images(*(f"{part}/images/{name}.png" for name in names))
        paint.masks(*(f"{part}/masks/{name}.png" for name in names))
    assert len(index(paint.root).notes) == 2


def test_a_train_folder_alone_is_no_published_split(paint):
    names = [f"patient{p}_{n}" for p in range(6) for n in range(5)]
    paint.images(*(f"train/images/{name}.png" for name in names), "test/images/z.png")
    paint.masks(*(f"train/masks/{name}.png" for name in names))
    assert apart(index(paint.root))


def test_thumbnails_that_refute_a_proposal_leave_images_alone(patients):
    samples = [s.model_copy(update={"split": None}) for s in index(patients, groups="none").samples]
    rng = np.random.default_rng(0)
    unlike = {path: rng.normal(size=(8, 8)) for path in paths_of(samples)}
    assert grouping(samples, patients, None).followed
    assert not grouping(samples, patients, None, thumbnails=unlike).followed


def test_each_fold_validates_in_turn_and_the_test_never(patients):
    seen = []
    for fold in range(3):
        samples = index(patients, folds=3, fold=fold, test=["patient0_*"])
        assert apart(samples)
        assert groups_of(samples.part("test")) == {"patient0"}
        seen += [s.name for s in samples.part("val")]
        assert samples.notes[2] == f"val: fold {fold} of 3 (from 0), {len(samples.part('val'))} of 25 images"
    assert sorted(seen) == sorted(s.name for s in samples.samples if s.split != "test")


def test_folds_in_the_file_are_followed_and_another_fold_may_be_asked_for(patients, paint):
    paint.write("dataset.yaml", "split: {folds: 3, fold: 2}\n")
    parts = [[s.name for s in index(patients, fold=fold).part("val")] for fold in (None, 2, 0)]
    assert parts[0] == parts[1] != parts[2]
    assert parts[2] == [s.name for s in index(patients, folds=3).part("val")]


def test_folds_take_the_published_validation_images_in(paint):
    for part, names in (("train", "abcdef"), ("val", "ghi"), ("test", "jk")):
        paint.images(*(f"{part}/images/{name}.png" for name in names))
        paint.masks(*(f"{part}/masks/{name}.png" for name in names))
    samples = index(paint.root, folds=3)
    assert {s.name for s in samples.part("test")} == set("jk")
    assert len(samples.part("val")) == 3
    assert samples.notes[2].endswith("; the published validation images take part in the folds")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"fold": 1}, SettingError, "fold 1 validates, but of how many"),
        ({"folds": 3, "fold": 3}, SettingError, "There is no fold 3 of 3"),
        ({"folds": 1}, SettingError, "There is no fold 0 of 1; there are two or more"),
        ({"folds": 3, "share": 0.2}, SettingError, "both say what validates"),
        ({"folds": 3, "val": ["patient0_*"]}, SettingError, "each says what validates"),
        ({"folds": 7}, DataError, "7 folds need 7 groups or more, and there are 6"),
        ({"folds": 31, "groups": "none"}, DataError, "31 folds need 31 labelled images"),
    ],
)
def test_folds_that_cannot_be_meant_are_told(options, error, says, patients):
    with pytest.raises(error, match=says):
        index(patients, **options)


@pytest.mark.parametrize(
    ("text", "says"),
    [("{fold: 1}", "add folds: 5"), ("{folds: 5, val: 0.2}", "state one of them"), ("{folds: 1}", r"split\.folds")],
)
def test_folds_in_the_file_that_cannot_be_meant_are_told(text, says, patients, paint):
    paint.write("dataset.yaml", f"split: {text}\n")
    with pytest.raises(SettingError, match=says):
        index(patients)


def test_folds_that_are_asked_for_stand_in_for_a_share_in_the_file(patients, paint):
    paint.write("dataset.yaml", "split: {val: 0.2}\n")
    assert samples_of_fold(patients) == [s.name for s in index(patients, folds=3).part("val")]


def samples_of_fold(root):
    (root / "dataset.yaml").rename(root / "other.yaml.bak")
    names = [s.name for s in index(root, folds=3).part("val")]
    (root / "other.yaml.bak").rename(root / "dataset.yaml")
    return names


def test_pages_of_several_stacks_stay_with_their_stack(paint):
    for name in "abc":
        for kind, volume in (("images", paint.image(6, 8, 10)), ("masks", np.stack([paint.mask()] * 6))):
            (paint.root / kind).mkdir(exist_ok=True)
            tifffile.imwrite(paint.root / kind / f"{name}.tif", volume, photometric="minisblack")
    samples = index(paint.root)
    assert groups_of(samples.samples) == {"a", "b", "c"}
    assert apart(samples)


def test_groups_are_kept_with_the_samples(patients, tmp_path):
    samples = index(patients)
    assert type(samples).load(samples.save(tmp_path / "samples.json")) == samples


def test_every_class_of_a_stratified_split_is_in_both_parts_where_two_images_have_it(paint):
    for i in range(40):
        mask = paint.mask(0, 1, 2, 2)
        mask[0, : 3 * (i % 20 == 7)] = 3
        paint.write(f"images/{i}.png", paint.image())
        paint.write(f"masks/{i}.png", mask)
    for seed in range(6):
        samples = index(paint.root, stratify=True, split_seed=seed)
        assert len(samples.part("val")) == 6
        for part in ("train", "val"):
            assert sum(3 in s.values for s in samples.part(part)) == 1
        assert samples.notes[2].endswith("drawn by name; each class gives its share")
