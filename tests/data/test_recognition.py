"""Each layout is painted as people have it, and must win on its own folder against all others."""

import json
from dataclasses import replace

import numpy as np
import pytest

from maskwright import files
from maskwright.data.index import index
from maskwright.data.layouts import Pairs, Told, layouts, recognise
from maskwright.data.layouts.registry import Entry
from maskwright.errors import DataError, SettingError

NAMES = ("a", "b1", "c22")


def disc(y, x, radius, size=(24, 32), value=255):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2).astype(np.uint8) * value


def _each(image, *masks, names=NAMES):
    def paint(painter):
        for number, name in enumerate(names):
            painter.write(image.format(name), painter.image(24, 32, 3))
            for place, mask in enumerate(masks):
                painter.write(mask.format(name), disc(10 + place, 12 + number, 6))

    return paint


def _with(paint, **texts):
    def both(painter):
        paint(painter)
        for name, text in texts.items():
            painter.write(name.replace("__", "/").replace("_json", ".json").replace("_txt", ".txt"), text)

    return both


def _objects(painter):
    for name in NAMES:
        painter.write(f"{name}/images/{name}.png", painter.image(24, 32, 3))
        for number in range(3):
            painter.write(f"{name}/masks/{name}-{number}.png", disc(5 + 6 * number, 8, 3))


def _stacks(painter):
    painter.write("train-volume.tif", np.stack([painter.image(24, 32) for _ in range(4)]))
    painter.write("train-labels.tif", np.stack([disc(8, 9, n + 2) for n in range(4)]))


_RAW = json.dumps({"channel_names": {"0": "red", "1": "green"}, "labels": {"background": 0, "cell": 255}})


def _raw(painter):
    for name in NAMES:
        for channel in range(2):
            painter.write(f"imagesTr/{name}_000{channel}.png", painter.image(24, 32))
        painter.write(f"labelsTr/{name}.png", disc(8, 9, 5))
    painter.write("dataset.json", _RAW)


# layout → folders of that kind
WORLDS = {
    "oxford_pets": [_each("images/{}.jpg", "annotations/trimaps/{}.png")],
    "cityscapes": [
        _each("leftImg8bit/train/ulm/{}_leftImg8bit.png", "gtFine/train/ulm/{}_gtFine_labelIds.png"),
        _each("leftImg8bit/train/ulm/{}_leftImg8bit.png", "gtFine/train/ulm/{}_gtFine_labelTrainIds.png"),
    ],
    "nnunet": [_raw],
    "lists": [_with(_each("train/{}.png", "trainannot/{}.png"), train_txt="train/a.png trainannot/a.png\n")],
    "carvana": [_each("train_hq/{}.jpg", "train_masks/{}_mask.gif")],
    "voc": [
        _with(
            _each("JPEGImages/{}.jpg", "SegmentationClass/{}.png"),
            ImageSets__Segmentation__train_txt="a\nb1\nc22\n",
        ),
        _with(
            _each("VOCdevkit/VOC2012/JPEGImages/{}.jpg", "VOCdevkit/VOC2012/SegmentationClass/{}.png"),
            VOCdevkit__VOC2012__ImageSets__Segmentation__train_txt="a\n",
        ),
    ],
    "mmsegmentation": [
        _each("img_dir/train/{}.jpg", "ann_dir/train/{}.png"),
        _each("images/training/{}.jpg", "annotations/training/{}.png"),
    ],
    "split_folders": [_each("train/images/{}.jpg", "train/masks/{}.png"), _each("Train/{}.jpg", "train-labels/{}.png")],
    "paired_folders": [
        _each("images/{}.jpg", "masks/{}.png"),
        _each("imgs/img_{}.jpg", "gt/mask_{}.png", names=("1", "2", "10")),
    ],
    "annotators": [
        _each("images/{}.tif", "annotator1/{}.png", "annotator2/{}.png"),
        _each("images/{}_training.tif", "1st_manual/{}_manual1.gif", names=("21", "22")),
        _each("Image_{}.jpg", "Image_{}_1stHO.png", "Image_{}_2ndHO.png"),
        _each("images/{}.jpg", "masks/{}_expert1.png", "masks/{}_expert2.png", "masks/{}_expert3.png"),
        _each("images/{}.jpg", "masks/rater_1/{}.png", "masks/rater_2/{}.png"),
    ],
    "class_files": [
        _each("images/{}.jpg", "masks/road/{}.png", "masks/car/{}.png"),
        _each("train/images/{}.jpg", "train/masks/road/{}.png", "train/masks/car/{}.png"),
        _each("images/{}.jpg", "masks/{}/road.png", "masks/{}/car.png"),
        _each("images/{}.jpg", "masks/{}_road.png", "masks/{}_car.png"),
        _each("{}.jpg", "{}_road.png", "{}_car_mask.png"),
    ],
    "stacks": [_stacks],
    "one_folder": [
        _each("{}.jpg", "{}_mask.png"),
        _each("img_{}.png", "mask_{}.png"),
        _each("{}_img.png", "{}_seg.png"),
        _each("{}.png", "{}_L.png"),
        _each("x_img_{}.png", "x_mask_{}.png"),
        _each("img{}.png", "mask{}.png", names=("1", "2", "10")),
    ],
    "equal_stems": [
        _each("{}.jpg", "{}.png"),
        _each("{}.tif", "{}.png"),
        _each("train/{}.jpg", "train/{}.png"),
    ],
    "object_files": [_objects],
    "nested": [
        _each("{}/images/scan.png", "{}/masks/scan.png"),
        _each("images/{}/f.png", "masks/{}/f.png"),
        _each("images/ulm/{}.png", "masks/ulm/{}.png"),
        _each("{}/image.png", "{}/mask.png"),
        _each("{0}/{0}_1.tif", "{0}/{0}_1_mask.tif"),
        _each("{}/img/0001.jpg", "{}/gt/0001.png"),
        _each("train_images/{}.png", "train_masks/{}.png"),
        _each("images_train/{}.png", "masks_train/{}.png"),
        _each("TrainDataset/imgs/{}.png", "TrainDataset/gts/{}.png"),
        _each("train/{}/image.png", "train/{}/label.png"),
    ],
}  # fmt: skip
FOLDERS = [(name, number) for name, worlds in WORLDS.items() for number in range(len(worlds))]


@pytest.mark.parametrize(("name", "number"), FOLDERS)
def test_every_layout_wins_on_its_own_folder_against_all_others(name, number, paint):
    WORLDS[name][number](paint)
    paint.write("README.md", "about these data")
    paint.write("about.json", json.dumps({"source": "painted"}))

    found, pairs = recognise(paint.root)

    assert found == name, pairs
    assert sum(entry.mask is not None for entry in pairs.entries) in {1, len(NAMES), 2}
    assert pairs.reason
    assert not any("could also be read" in note for note in pairs.notes)


@pytest.mark.parametrize(("name", "number"), FOLDERS)
def test_every_folder_is_read_to_the_end(name, number, paint):
    WORLDS[name][number](paint)
    if name == "oxford_pets":
        paint.write("dataset.yaml", "classes: {other: 0, pet: 255}\n")
    if name in {"cityscapes", "mmsegmentation"}:
        paint.write("dataset.yaml", "classes: {other: 0, thing: 255}\n")
    samples = index(paint.root)
    assert samples.layout == name
    labels = [samples.labels_of(sample) for sample in samples.samples if sample.mask]
    assert labels
    assert {1} <= set(labels[0].ravel().tolist())


@pytest.mark.parametrize(("name", "number"), FOLDERS)
def test_the_layout_that_is_stated_is_the_only_one_asked(name, number, paint, monkeypatch):
    WORLDS[name][number](paint)
    monkeypatch.setattr(layouts, "_parts", dict(layouts.items()))
    asked = []

    class Nosy:
        rank = 1

        def __call__(self, root):
            asked.append(root)

    layouts.register("nosy")(Nosy())
    assert recognise(paint.root, Told(layout=name))[0] == name
    assert asked == []


def test_a_stated_layout_that_does_not_fit_is_told_with_those_that_do(paint):
    WORLDS["paired_folders"][0](paint)
    paint.write("dataset.yaml", "layout: stacks\n")
    with pytest.raises(
        DataError, match=r"layout: stacks, but .*Volumes beside their labels.* could be read as paired_"
    ):
        index(paint.root)


def test_a_stated_layout_is_kept_and_noted(paint):
    WORLDS["paired_folders"][0](paint)
    paint.write("dataset.yaml", "layout: paired_folders\n")
    assert "read as paired_folders, as dataset.yaml says" in index(paint.root).notes


def test_a_stated_layout_that_is_none_is_told(paint):
    WORLDS["paired_folders"][0](paint)
    paint.write("dataset.yaml", "layout: pared_folders\n")
    with pytest.raises(SettingError, match="Did you mean 'paired_folders'"):
        index(paint.root)


def test_a_layout_and_folders_are_not_stated_both(paint):
    WORLDS["paired_folders"][0](paint)
    paint.write("dataset.yaml", "layout: voc\nimages: images\nmasks: masks\n")
    with pytest.raises(SettingError, match="state one"):
        index(paint.root)


def test_the_layout_that_explains_more_wins_whatever_its_rank(paint):
    """Two hundred pairs in cases are more than a pair of pictures that lies about."""
    for name in "abcdefgh":
        paint.images(f"{name}/images/scan.png")
        paint.masks(f"{name}/masks/scan.png")
    paint.images("extra.png")
    paint.masks("extra_mask.png")
    name, pairs = recognise(paint.root)
    assert (name, len(pairs.entries)) == ("nested", 8)


def test_a_close_competitor_is_named_and_can_be_chosen(paint):
    for name in NAMES:
        paint.images(f"images/{name}.png", f"{name}.jpg")
        paint.masks(f"masks/{name}.png", f"{name}_mask.png")
    name, pairs = recognise(paint.root)
    assert name == "paired_folders"
    (note,) = pairs.notes
    assert "could also be read as one_folder (3 images with masks" in note
    assert "layout: one_folder" in note
    paint.write("dataset.yaml", "layout: one_folder\n")
    assert index(paint.root).layout == "one_folder"


def test_a_mark_of_its_own_wins_over_what_explains_more(paint, monkeypatch):
    WORLDS["paired_folders"][0](paint)
    monkeypatch.setattr(layouts, "_parts", dict(layouts.items()))
    only = Entry(paint.root / "images/a.jpg", paint.root / "masks/a.png")

    class One:
        rank = 99
        pairs = Pairs((only,), "one")

        def __call__(self, root):
            return self.pairs

    one = One()
    layouts.register("one")(one)
    assert recognise(paint.root)[0] == "paired_folders"
    one.pairs = replace(one.pairs, marks=("a seal",))
    assert recognise(paint.root)[0] == "one"


def test_every_folder_is_listed_once_however_many_layouts_ask(paint, monkeypatch):
    WORLDS["nested"][0](paint)
    listed = []
    plain = files.files_in
    monkeypatch.setattr(files, "files_in", lambda folder: listed.append(folder) or plain(folder))

    recognise(paint.root)

    assert len(listed) == len(set(listed)) >= 7


def test_a_link_to_a_folder_above_is_not_followed(paint):
    WORLDS["nested"][0](paint)
    (paint.root / "a" / "loop").symlink_to(paint.root)
    assert len(recognise(paint.root)[1].entries) == len(NAMES)


@pytest.mark.parametrize("name", ["images", "train", "masks"])
def test_one_part_of_a_data_set_is_told_to_be_one(name, paint):
    paint.images(f"{name}/a.png", f"{name}/b.png")
    with pytest.raises(DataError, match=f"one part of a data set: give the one around it, {paint.root}"):
        recognise(paint.root / name)


def test_a_data_set_one_folder_down_is_read(paint):
    paint.images("scans/images/a.png")
    paint.masks("scans/masks/a.png")
    name, pairs = recognise(paint.root)
    assert name == "paired_folders"
    assert pairs.base == paint.root / "scans"
    assert "read is the folder scans" in pairs.notes
