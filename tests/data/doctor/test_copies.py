import shutil

import numpy as np


def copy(clinic, source, target, mask=True):
    for kind in ("images", "masks") if mask else ("images",):
        a, b = (clinic.root / part / kind / f"{name}.png" for part, name in (source, target))
        shutil.copy(a, b)


def test_the_same_file_in_two_parts_is_found_and_the_fix_keeps_the_test(clinic):
    clinic.healthy(8, part="train").healthy(4, 20, "val").healthy(4, 40, "test")
    copy(clinic, ("test", "img_041"), ("train", "other_name"))
    copy(clinic, ("val", "img_021"), ("train", "img_021"))

    found = clinic.findings("copies")

    assert list(found) == ["copies-train-test", "copies-train-val"]
    test, val = found.values()
    assert (test.severity, val.severity) == ("warning", "warning")
    assert test.files == ("test/images/img_041.png", "train/images/other_name.png")
    assert val.fix == {"skip": ["train/images/img_021"]}
    assert clinic.findings("copies", skip=[*test.fix["skip"], *val.fix["skip"]]) == {}


def test_copies_with_other_masks_contradict_and_copies_in_one_part_weigh_double(clinic, paint_scene):
    clinic.healthy(8, part="train").healthy(3, 20, "val")
    copy(clinic, ("train", "img_001"), ("train", "twin"))
    copy(clinic, ("train", "img_002"), ("train", "liar"), mask=False)
    clinic.write("train/masks/liar.png", np.where(paint_scene(77)[1], 255, 0).astype(np.uint8))

    found = clinic.findings("copies")

    assert list(found) == ["copies-unlike-masks", "copies"]
    assert set(found["copies-unlike-masks"].files) == {"train/images/img_002.png", "train/images/liar.png"}
    assert found["copies-unlike-masks"].severity == "warning"
    assert found["copies"].title == "2 images are there several times in one part"
    assert found["copies"].severity == "note"


def test_black_images_are_alike_but_leak_nothing(clinic):
    clinic.healthy(8, part="train").healthy(4, 20, "test")
    for part in ("train", "test"):
        clinic.pair("black", np.zeros((96, 120), np.uint8), np.zeros((96, 120), np.uint8), part)

    assert clinic.findings("copies") == {}
    assert clinic.findings("near_copies") == {}


def test_unlike_images_are_no_copies(clinic):
    clinic.healthy(8, part="train").healthy(3, 20, "val")

    assert clinic.findings("copies") == {}
