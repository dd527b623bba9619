"""What every layout owes the index: it pairs what is there, and says nothing of what it does not know.

Each contract is a function over one part, so that a planted part that breaks it shows that it bites.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.parts import parts_of

from maskwright.data.layouts import Pairs, layouts, recognise
from maskwright.files import MaskStyle, is_file, write_image, write_mask


def says_nothing_of_what_it_does_not_know(layout, tmp_path):
    """None for an empty folder, one with text only, and one of images without any mask; nothing is written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.md").write_text("images: none")
    (tmp_path / "alone").mkdir()
    write_image(tmp_path / "alone" / "a.png", np.zeros((4, 4, 1), np.uint8))
    before = sorted(tmp_path.rglob("*"))

    for name in ("empty", "text", "alone"):
        assert layout(tmp_path / name) is None, name
    assert sorted(tmp_path.rglob("*")) == before


def gives_pairs_that_are_there(layout, root):
    """Pairs of files that exist, each image once, with a reason; or None. A mask may be a folder of objects."""
    found = layout(root)
    if found is None:
        return
    assert isinstance(found, Pairs)
    assert found.reason
    assert found.entries
    images = [entry.image for entry in found.entries]
    assert len(set(images)) == len(images)
    for entry in found.entries:
        assert is_file(entry.image)
        there = Path.is_dir if entry.source == "object_files" else is_file
        assert entry.mask is None or there(entry.mask)
        assert entry.page is None, "stacks are taken apart later"
        assert all(is_file(path) for path in (*entry.rivals, *entry.bands, *entry.parts.values()))
        assert entry.split in {None, "train", "val", "test"}


_ABOUT_DRAWN = {
    "images": [{"id": i, "file_name": f"{stem}.png", "height": 4, "width": 4} for i, stem in enumerate("abc")],
    "annotations": [
        {"id": i, "image_id": i, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]} for i in range(3)
    ],
    "categories": [{"id": 1, "name": "cell"}],
}


def usual_folders(root):
    """The same three pairs in each of the usual layouts."""
    places = {
        "two folders": ("images/{}.png", "masks/{}.png"),
        "one folder": ("{}.png", "{}_mask.png"),
        "splits": ("train/images/{}.png", "train/masks/{}.png"),
        "pets": ("images/{}.jpg", "annotations/trimaps/{}.png"),
        "cars": ("train_hq/{}.jpg", "train_masks/{}_mask.png"),
        "stacks": ("{}-volume.tif", "{}-labels.tif"),
        "objects": ("stage1_train/{0}/images/{0}.png", "stage1_train/{0}/masks/1.png"),
        "twins": ("{}.jpg", "{}.png"),
        "cases": ("{}/images/scan.png", "{}/masks/scan.png"),
        "classes": ("images/{}.png", "masks/road/{}.png", "masks/car/{}.png"),
        "people": ("images/{}.png", "expert1/{}.png", "expert2/{}.png"),
        "voc": ("JPEGImages/{}.jpg", "SegmentationClass/{}.png"),
        "towns": ("leftImg8bit/train/ulm/{}_leftImg8bit.png", "gtFine/train/ulm/{}_gtFine_labelIds.png"),
        "parts": ("img_dir/train/{}.jpg", "ann_dir/train/{}.png"),
        "raw": ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
        "drawn": ("pictures/{}.png",),
    }
    texts = {
        "voc": ("ImageSets/Segmentation/train.txt", "a\nb\nc\n"),
        "drawn": ("all.json", json.dumps(_ABOUT_DRAWN)),
        "raw": ("dataset.json", '{"channel_names": {"0": "light"}, "labels": {"background": 0, "cell": 1}}'),
    }
    for name, (image, *masks) in places.items():
        for stem in "abc":
            for place in (image, *masks):
                (root / name / place.format(stem)).parent.mkdir(parents=True, exist_ok=True)
            write_image(root / name / image.format(stem), np.full((4, 4, 1), 9, np.uint8))
            for mask in masks:
                write_mask(root / name / mask.format(stem), np.eye(4, dtype=np.uint8), MaskStyle())
        if name in texts:
            file, text = texts[name]
            (root / name / file).parent.mkdir(parents=True, exist_ok=True)
            (root / name / file).write_text(text)
        yield root / name
    with tarfile.open(root / "shards.tar", "w") as tar:
        for path in sorted((root / "one folder").iterdir()):
            tar.add(path, path.name)
    (root / "shards").mkdir(exist_ok=True)
    yield (root / "shards.tar").replace(root / "shards" / "0000.tar").parent


@parts_of(layouts)
def test_every_layout_says_nothing_of_what_it_does_not_know(part, tmp_path):
    says_nothing_of_what_it_does_not_know(part, tmp_path)


@parts_of(layouts)
def test_every_layout_gives_pairs_that_are_there(part, tmp_path):
    for root in usual_folders(tmp_path):
        gives_pairs_that_are_there(part, root)


def test_each_layout_knows_some_usual_folder(tmp_path):
    """All but lists of pairs, which are texts. So a layout that is new brings its folder along."""
    assert {recognise(root)[0] for root in usual_folders(tmp_path)} == set(layouts.names()) - {"lists"}


def test_each_usual_folder_is_known_to_some_layout(tmp_path):
    for root in usual_folders(tmp_path):
        _, pairs = recognise(root)
        assert len(pairs.entries) == 3
        assert all(entry.mask for entry in pairs.entries)


def test_layouts_are_asked_in_an_order_of_their_own():
    ranks = [layout.rank for _, layout in layouts.items()]

    assert len(set(ranks)) == len(ranks)


def test_a_careless_layout_is_found(tmp_path):
    with pytest.raises(AssertionError):
        says_nothing_of_what_it_does_not_know(lambda root: Pairs((), "everything is fine"), tmp_path)
    with pytest.raises(AssertionError):
        gives_pairs_that_are_there(lambda root: Pairs((), "everything is fine"), tmp_path)
