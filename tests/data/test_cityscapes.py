import numpy as np
import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.layouts.cityscapes import IDS


@pytest.fixture
def town(paint):
    def town(split, city, kinds, values=(7, 3, 33, 255), annotations="gtFine"):
        for number in range(2):
            name = f"{city}_00000{number}_000019"
            paint.write(f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", paint.image(8, 12, 3))
            for kind in kinds:
                mask = paint.mask(*values, size=(8, 12))
                paint.write(f"{annotations}/{split}/{city}/{name}_{annotations}_{kind}.png", mask)
            paint.write(f"{annotations}/{split}/{city}/{name}_{annotations}_polygons.json", "{}")
        return paint

    return town


def test_there_are_nineteen_classes_as_the_benchmark_has_them():
    assert len(IDS) == 19
    assert list(IDS)[:3] == ["road", "sidewalk", "building"]
    assert (IDS["train"], IDS["bicycle"]) == (31, 33)
    assert sorted(IDS.values()) == list(IDS.values())


@pytest.mark.parametrize("annotations", ["gtFine", "gtCoarse"])
def test_masks_of_ids_are_read_as_the_classes_of_the_benchmark(annotations, town):
    town("train", "ulm", ["labelIds", "color", "instanceIds"], annotations=annotations)
    paint = town("val", "bonn", ["labelIds", "color", "instanceIds"], annotations=annotations)

    samples = index(paint.root)

    assert samples.layout == "cityscapes"
    assert samples.labels.names == list(IDS)
    assert {s.split for s in samples.samples} == {"train", "val"}
    assert len(samples.samples) == 4
    assert samples.labels_of(samples.samples[0])[0].tolist() == [0] * 3 + [255] * 3 + [18] * 3 + [255] * 3
    assert any("19 classes" in note for note in samples.notes)


def test_masks_of_train_ids_are_preferred(town):
    town("train", "ulm", ["labelIds"])
    paint = town("train", "ulm", ["labelTrainIds"], values=(0, 255, 18))
    samples = index(paint.root)
    assert samples.layout == "cityscapes"
    assert all(s.mask.endswith("_labelTrainIds.png") for s in samples.samples)
    assert samples.labels.names == list(IDS)
    assert set(samples.labels_of(samples.samples[0])[0].tolist()) == {0, 18, 255}


def test_the_blank_masks_of_the_test_part_are_none_and_others_are_kept(town):
    town("train", "ulm", ["labelIds"])
    paint = town("test", "berlin", ["labelIds"], values=(0, 3))
    pairs = recognise(paint.root)[1]
    assert {bool(e.mask) for e in pairs.entries if e.split == "test"} == {False}
    assert any("test part show no class" in note for note in pairs.notes)
    town("test", "berlin", ["labelIds"])
    pairs = recognise(paint.root)[1]
    assert {bool(e.mask) for e in pairs.entries if e.split == "test"} == {True}


def test_an_image_without_a_mask_is_told(town):
    paint = town("train", "ulm", ["labelIds"])
    paint.images("leftImg8bit/train/ulm/ulm_9_leftImg8bit.png")
    assert [path.name for path in recognise(paint.root)[1].images_alone] == ["ulm_9_leftImg8bit.png"]


def test_only_colours_are_not_read_so(town):
    paint = town("train", "ulm", ["labelIds"])
    for path in paint.root.rglob("*_labelIds.png"):
        path.unlink()
    paint.images("images/a.png")
    paint.masks("masks/a.png")
    assert recognise(paint.root)[0] == "paired_folders"


def test_the_folder_above_the_parts_alone_is_not_read_so(paint):
    paint.write("leftImg8bit/a.png", np.zeros((4, 4), np.uint8))
    paint.images("images/a.png")
    paint.masks("masks/a.png")
    assert recognise(paint.root)[0] == "paired_folders"
