from pathlib import Path

import pytest

from maskwright.data.layouts.words import Meaning, band_of, in_order, meaning, told_by_name


@pytest.mark.parametrize(
    ("folder", "role", "split"),
    [
        ("images", "image", None), ("GT", "mask", None), ("train", None, "train"), ("Validation", None, "val"),
        ("train_images", "image", "train"), ("images-val", "image", "val"), ("trainannot", "mask", "train"),
        ("testMasks", "mask", "test"), ("TrainDataset", None, "train"), ("test_set", None, "test"),
        ("stage1_train", None, "train"), ("ground_truth", "mask", None), ("Ground truth", None, None),
        ("label_images", "mask", None), ("maskstrain", "mask", "train"), ("labels test", "mask", "test"),
        ("aachen", None, None), ("case_1", None, None), ("imagery", None, None), ("train_test", None, None),
        ("trainspotting", None, None), ("masked", None, None), ("set", None, None), ("stage1", None, None),
    ],
)  # fmt: skip
def test_what_a_folders_name_says(folder, role, split):
    assert meaning(folder) == Meaning(role, split)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mask_001", ("mask", "001")), ("001_seg", ("mask", "001")), ("img_001", ("image", "001")),
        ("case_mask_01", ("mask", "case_01")), ("mask12", ("mask", "12")), ("IMG-7", ("image", "7")),
        ("mask", ("mask", "")), ("image", ("image", "")), ("001", (None, "001")), ("imagine", (None, "imagine")),
        ("masked_1", (None, "masked_1")), ("segment_1", (None, "segment_1")), ("a_L", ("mask", "a")),
        ("L_a", (None, "L_a")),
    ],
)  # fmt: skip
def test_what_a_files_name_says(name, said):
    assert told_by_name(Path(f"{name}.png")) == said


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("s_c0", ("s", "_c0")), ("s_ch01", ("s", "_ch01")), ("s_0003", ("s", "_0003")), ("s_B8A", ("s", "_B8A")),
        ("s_red", ("s", "_red")), ("s-NIR", ("s", "-NIR")), ("s_w1", ("s", "_w1")), ("s_0100", None), ("s", None),
        ("_c0", None), ("sred", None), ("s_reds", None), ("s_001", None),
    ],
)  # fmt: skip
def test_which_band_a_files_name_says(name, found):
    assert band_of(Path(f"{name}.tif")) == found


def test_stated_bands_are_the_only_ones_and_the_longest_end_wins():
    assert band_of(Path("s_hv.tif"), ["_hv", "v"]) == ("s", "_hv")
    assert band_of(Path("s_c0.tif"), ["_hv"]) is None


def test_colours_go_first_and_numbers_by_their_size():
    assert in_order(["_nir", "_blue", "_red", "_green"]) == ["_red", "_green", "_blue", "_nir"]
    assert in_order(["_B10", "_B8A", "_B2", "_B8"]) == ["_B2", "_B8", "_B8A", "_B10"]
    assert in_order(["_B2", "_B3", "_B4"], ["_B4", "_B2"]) == ["_B4", "_B2"]
