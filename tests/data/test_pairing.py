from pathlib import Path

import pytest

from maskwright.data.layouts import Entry
from maskwright.data.layouts.pairing import (
    MASK_FOLDERS,
    SPLITS,
    image_key,
    is_mask_name,
    mask_key,
    pair,
    splits_in,
    subfolder,
)  # fmt: skip

ENDINGS = (
    "_mask", "_masks", "_gt", "_GT", "_label", "_labels", "_seg", "_segmentation", "_annotation", "_annot",
    "_groundtruth", "_ground_truth", "_target", "_trimap", "_L", "_l", "_P", "-mask", ".mask", " mask", "-gt", "_Mask",
)  # fmt: skip


def paired(images, masks):
    """Image → mask, images alone, masks alone, by name."""
    entries, images_alone, masks_alone = pair(map(Path, images), map(Path, masks))
    return {str(e.image): str(e.mask) for e in entries}, list(map(str, images_alone)), list(map(str, masks_alone))


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_usual_endings_are_taken_off(ending):
    mask = f"img_07{ending}.png"
    assert is_mask_name(Path(mask))
    assert mask_key(Path(mask)) == "img_07"
    assert paired(["img_07.jpg", "img_08.jpg"], [mask]) == ({"img_07.jpg": mask}, ["img_08.jpg"], [])


@pytest.mark.parametrize("ending", ["_image", "_img", "_im", "-input", "_photo", ".orig", "_original", "_Image"])
def test_an_image_may_have_an_ending_of_its_own(ending):
    assert image_key(Path(f"a{ending}.png")) == "a"
    assert paired([f"a{ending}.png"], ["a_mask.png"]) == ({f"a{ending}.png": "a_mask.png"}, [], [])
    assert paired([f"a{ending}.png"], ["a.png"]) == ({f"a{ending}.png": "a.png"}, [], [])


@pytest.mark.parametrize("name", ["mask.png", "unmask.png", "img_1.png", "tall.png", "mask_1.png", "label1.png"])
def test_a_name_without_such_an_ending_is_no_mask_name(name):
    assert not is_mask_name(Path(name))
    assert mask_key(Path(name)) == Path(name).stem


def test_equal_stems_win_over_endings():
    images, masks = ["a.png", "a_mask.png"], ["a_mask.png", "a_mask_mask.png"]
    assert paired(images, masks) == ({"a_mask.png": "a_mask.png"}, ["a.png"], ["a_mask_mask.png"])
    assert paired(["a.png", "b.png"], ["b.tif", "a_gt.tif"]) == ({"b.png": "b.tif", "a.png": "a_gt.tif"}, [], [])


def test_two_masks_of_one_image_are_rivals():
    entries, *_ = pair([Path("a.png")], [Path("a_mask.png"), Path("a_gt.png")], "val")
    assert entries == [Entry(Path("a.png"), Path("a_mask.png"), "val", (Path("a_gt.png"),))]


def test_two_masks_of_no_image_are_alone():
    assert paired(["b.png"], ["a_mask.png", "a_gt.png", "b.png"]) == (
        {"b.png": "b.png"}, [], ["a_mask.png", "a_gt.png"]
    )  # fmt: skip


def test_one_mask_is_given_to_one_image():
    assert paired(["a.jpg", "a.png"], ["a.png"]) == ({"a.jpg": "a.png"}, ["a.png"], [])
    assert paired(["a.png", "a_img.png"], ["a_mask.png"]) == ({"a.png": "a_mask.png"}, ["a_img.png"], [])


def test_every_name_stands_for_itself_in_capitals_too(tmp_path):
    for name in MASK_FOLDERS:
        (tmp_path / name / name.upper()).mkdir(parents=True)
        assert subfolder(tmp_path / name, MASK_FOLDERS) == tmp_path / name / name.upper()


def test_a_folder_with_pictures_goes_before_one_without(paint):
    """Pascal VOC has Annotations/ full of XML beside SegmentationClass/."""
    paint.write("Annotations/a.xml", "<xml/>")
    assert subfolder(paint.root, MASK_FOLDERS) == paint.root / "Annotations"
    paint.masks("SegmentationClass/a.png")
    assert subfolder(paint.root, MASK_FOLDERS) == paint.root / "SegmentationClass"


def test_there_may_be_no_such_folder(tmp_path):
    (tmp_path / "masks").write_text("a file")
    assert subfolder(tmp_path, MASK_FOLDERS) is None
    assert subfolder(tmp_path / "nowhere", MASK_FOLDERS) is None
    assert splits_in(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(("name", "split"), SPLITS.items())
def test_the_names_of_splits(name, split, tmp_path):
    (tmp_path / name.capitalize()).mkdir()
    assert splits_in(tmp_path) == {split: tmp_path / name.capitalize()}
