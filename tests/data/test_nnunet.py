import json

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError

ABOUT = {
    "channel_names": {"0": "T1", "1": "T2"},
    "labels": {"background": 0, "edema": 1, "tumor": 2, "ignore": 3},
    "numTraining": 3,
    "file_ending": ".png",
}


@pytest.fixture
def raw(paint):
    def raw(about=ABOUT, channels=2, cases=("brain_01", "brain_02", "brain_03"), values=(0, 1, 2, 3)):
        for case in cases:
            for channel in range(channels):
                paint.write(f"imagesTr/{case}_000{channel}.png", paint.image())
            paint.write(f"labelsTr/{case}.png", paint.mask(*values))
        paint.write("dataset.json", json.dumps(about))
        return paint

    return raw


def test_raw_data_are_read_with_their_channels_and_classes(raw):
    paint = raw()
    for channel in range(2):
        paint.write(f"imagesTs/brain_09_000{channel}.png", paint.image())

    samples = index(paint.root)

    assert samples.layout == "nnunet"
    assert "channels T1, T2" in samples.notes[0]
    assert samples.labels.names == ["background", "edema", "tumor"]
    assert samples.labels.ignored == (3,)
    first = samples.samples[0]
    assert first.bands == (first.image.replace("_0000", "_0001"),)
    assert first.channels == 2
    channels = [paint.root / path for path in (first.image, *first.bands)]
    np.testing.assert_array_equal(samples.image(first), np.stack([np.array(Image.open(p)) for p in channels], axis=2))
    assert [(s.split, s.mask, len(s.bands)) for s in samples.samples][-1] == ("test", None, 1)
    assert set(samples.labels_of(first).ravel().tolist()) == {0, 1, 2, 255}


def test_one_channel_is_an_image_of_its_own(raw):
    samples = index(raw({**ABOUT, "channel_names": {"0": "CT"}}, channels=1).root)
    assert all(not s.bands and s.channels == 1 for s in samples.samples)
    assert len(samples.samples) == 3


def test_the_first_version_numbered_its_labels(raw):
    about = {"modality": {"0": "a", "1": "b"}, "labels": {"0": "background", "1": "one", "2": "two", "3": "three"}}
    assert index(raw(about).root).labels.names == ["background", "one", "two", "three"]


def test_labels_of_the_test_images_are_read_too(raw):
    paint = raw()
    for channel in range(2):
        paint.write(f"imagesTs/x_000{channel}.png", paint.image())
    paint.write("labelsTs/x.png", paint.mask(0, 1))
    assert [s.name for s in index(paint.root).part("test")] == ["x_0000"]


REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3]}


def test_regions_are_what_remains_when_they_are_painted_in_their_order(raw):
    samples = index(raw({**ABOUT, "labels": REGIONS, "regions_class_order": [1, 2, 3]}).root)
    assert {c.name: c.values for c in samples.labels.classes} == {
        "background": (0,), "whole": (1,), "core": (2,), "enhancing": (3,)
    }  # fmt: skip
    assert any("painted one over the other" in note for note in samples.notes)


def test_regions_that_share_no_value_need_no_order(raw):
    labels = {"background": 0, "both": [1, 2], "third": 3}
    assert {c.name: c.values for c in index(raw({**ABOUT, "labels": labels}).root).labels.classes}["both"] == (1, 2)


@pytest.mark.parametrize("order", [None, [1, 2], "123"])
def test_regions_without_an_order_are_refused(order, raw):
    with pytest.raises(DataError, match=r"regions_class_order does not say.* 3 regions"):
        recognise(raw({**ABOUT, "labels": REGIONS, "regions_class_order": order}).root)


@pytest.mark.parametrize("value", ["one", None, [], 1.5, True])
def test_a_label_of_no_number_is_told(value, raw):
    with pytest.raises(DataError, match="label 'x' has the value"):
        recognise(raw({**ABOUT, "labels": {"background": 0, "x": value}}).root)


def test_a_missing_channel_is_told(raw):
    paint = raw()
    (paint.root / "imagesTr/brain_02_0001.png").unlink()
    with pytest.raises(DataError, match=r"names 2 channels, but brain_02 in .*imagesTr has 1: brain_02_0000\.png"):
        recognise(paint.root)


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_file_that_is_no_mapping_is_told(text, raw):
    paint = raw()
    paint.write("dataset.json", text)
    with pytest.raises(DataError, match=r"dataset\.json (is no JSON|holds no mapping)"):
        recognise(paint.root)


def test_without_its_file_the_folders_are_not_said_to_be_its(raw):
    paint = raw()
    (paint.root / "dataset.json").unlink()
    with pytest.raises(DataError, match="No images with masks"):
        recognise(paint.root)


def test_a_file_of_that_name_beside_other_folders_says_nothing(paint):
    paint.images("images/a.png")
    paint.masks("masks/a.png")
    paint.write("dataset.json", json.dumps(ABOUT))
    assert recognise(paint.root)[0] == "paired_folders"


def test_an_image_or_labels_alone_are_told(raw):
    paint = raw()
    paint.write("imagesTr/lone_0000.png", paint.image())
    paint.write("imagesTr/lone_0001.png", paint.image())
    paint.write("labelsTr/widow.png", paint.mask())
    pairs = recognise(paint.root)[1]
    assert [path.name for path in pairs.images_alone] == ["lone_0000.png", "lone_0001.png"]
    assert [path.name for path in pairs.masks_alone] == ["widow.png"]
