import io

import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.layouts.voc import NAMES, palette
from maskwright.errors import DataError


def in_palette(mask, colours):
    picture = Image.fromarray(mask, "P")
    picture.putpalette([channel for colour in colours for channel in colour])
    memory = io.BytesIO()
    picture.save(memory, "PNG")
    return memory.getvalue()


@pytest.fixture
def voc(paint):
    def voc(names, colours=None, base=""):
        for name in names:
            mask = np.zeros((8, 10), np.uint8)
            mask[2:6, 2:8], mask[3:5, 3:7] = 255, 15
            paint.write(f"{base}JPEGImages/{name}.jpg", paint.image(8, 10, 3))
            paint.write(f"{base}SegmentationClass/{name}.png", in_palette(mask, colours or palette()))
            paint.write(f"{base}SegmentationObject/{name}.png", in_palette(mask, palette()))
            paint.write(f"{base}Annotations/{name}.xml", "<annotation/>")
        return paint

    return voc


PUBLISHED = [f"2007_00003{n}" for n in range(4)]


def test_the_colours_are_those_that_are_published():
    colours = palette()
    assert colours[:5] == [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    assert colours[15] == (192, 128, 128)  # person
    assert colours[20] == (0, 64, 128)
    assert colours[255] == (224, 224, 192)
    assert len(set(colours)) == 256
    assert len(NAMES) == 21


@pytest.mark.parametrize("base", ["", "VOCdevkit/VOC2012/"])
def test_the_archive_is_read_with_its_lists_and_its_classes(base, voc):
    paint = voc(PUBLISHED, base=base)
    paint.images(f"{base}JPEGImages/2007_000999.jpg")
    paint.write(f"{base}ImageSets/Segmentation/train.txt", "2007_000030\n2007_000031\n")
    paint.write(f"{base}ImageSets/Segmentation/val.txt", "2007_000032\n")
    paint.write(f"{base}ImageSets/Segmentation/trainval.txt", "2007_000030\n2007_000031\n2007_000032\n")

    samples = index(paint.root)

    assert samples.layout == "voc"
    assert {s.name: s.split for s in samples.samples} == {
        "2007_000030": "train", "2007_000031": "train", "2007_000032": "val"
    }  # fmt: skip
    assert samples.labels.names == list(NAMES)
    assert samples.labels.ignored == (255,)
    labels = samples.labels_of(samples.samples[0])
    assert sorted(set(labels.ravel().tolist())) == [0, 15, 255]
    assert any("the classes are its 21" in note for note in samples.notes)


def test_a_class_list_goes_before_the_colours(voc):
    paint = voc(PUBLISHED)
    names = [f"kind {n}" for n in range(16)]
    paint.write("class_names.txt", "\n".join(names))
    samples = index(paint.root)
    assert samples.layout == "voc"
    assert samples.labels.names == names


def test_other_files_in_its_colours_are_not_given_its_names(voc):
    """labelme and others colour any classes so."""
    samples = index(voc(["mine_1", "mine_2"]).root)
    assert samples.layout == "voc"
    assert samples.labels.names == ["background", "foreground"]
    assert any("other programs use those colours" in note for note in samples.notes)


def test_other_colours_without_lists_are_two_folders(voc):
    samples = index(voc(PUBLISHED, colours=[(n, 0, 255 - n) for n in range(256)]).root)
    assert samples.layout == "paired_folders"
    assert "aeroplane" not in samples.labels.names


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"val": "2007_000030\nlost\n"}, r"val\.txt, line 2: there is no picture lost"),
        ({"train": "2007_000030\n", "val": "2007_000030\n"}, r"val\.txt, line 1: 2007_000030 stands in train\.txt"),
    ],
)
def test_a_line_that_does_not_hold_is_told_by_number(lists, says, voc):
    paint = voc(PUBLISHED)
    for name, text in lists.items():
        paint.write(f"ImageSets/Segmentation/{name}.txt", text)
    with pytest.raises(DataError, match=says):
        recognise(paint.root)


def test_a_listed_image_without_a_mask_is_told_and_others_are_not(voc):
    paint = voc(PUBLISHED)
    paint.images("JPEGImages/2007_000998.jpg", "JPEGImages/2007_000999.jpg")
    assert "left alone: 2 images without a mask" in recognise(paint.root)[1].reason
    paint.write("ImageSets/Segmentation/train.txt", "\n".join([*PUBLISHED, "2007_000999"]))
    assert [path.name for path in recognise(paint.root)[1].images_alone] == ["2007_000999.jpg"]
