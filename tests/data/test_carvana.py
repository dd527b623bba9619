import numpy as np
import pytest
from PIL import Image

from maskwright.data.index import index
from maskwright.data.layouts import recognise


def gif(paint, name, cut, kind):
    """A mask, white from column `cut`, as programs save GIFs."""
    values = np.zeros((8, 10), np.uint8)
    values[:, cut:] = 1
    if kind == "grey 255":
        picture = Image.fromarray(values * 255)
    elif kind == "grey 1":
        picture = Image.fromarray(values)
    elif kind == "1 bit":
        picture = Image.fromarray(values * 255).convert("1")
    else:
        first, second = ((0, 0, 0), (255, 255, 255))
        picture = Image.fromarray(values if kind == "palette" else 1 - values).convert("P")
        picture.putpalette([*first, *second] if kind == "palette" else [*second, *first])
    path = paint.root / f"train_masks/{name}_mask.gif"
    path.parent.mkdir(exist_ok=True)
    picture.save(path)


@pytest.fixture
def cars(paint):
    """A folder of the contest's archives, unpacked; car_3 is an empty mask."""

    def cars(*folders, kinds=("palette",)):
        for i in range(8):
            name = f"0cdf5b5d0ce1_{i:02}"
            for folder in folders:
                paint.write(f"{folder}/{name}.jpg", paint.image(8, 10, 3))
            gif(paint, name, 10 if i == 3 else i + 1, kinds[i % len(kinds)])
        paint.write("train_masks.csv", "img,rle_mask\n0cdf5b5d0ce1_00.jpg,1 2\n")
        paint.write("metadata.csv", "id,year\n0cdf5b5d0ce1,2012\n")
        return paint.root

    return cars


KINDS = [("palette",), ("palette", "turned"), ("grey 255",), ("grey 1",), ("1 bit", "palette", "turned", "grey 255")]


@pytest.mark.parametrize("folder", ["train", "train_hq"])
@pytest.mark.parametrize("kinds", KINDS)
def test_masks_are_read_however_the_gif_stores_black_and_white(folder, kinds, cars):
    samples = index(cars(folder, kinds=kinds))

    assert samples.layout == "carvana"
    assert samples.labels.names == ["background", "foreground"]
    for i, sample in enumerate(samples.samples):
        assert (sample.image, sample.mask) == (
            f"{folder}/0cdf5b5d0ce1_{i:02}.jpg",
            f"train_masks/{sample.name}_mask.gif",
        )
        cut = 10 if i == 3 else i + 1
        assert samples.labels_of(sample)[0].tolist() == [0] * cut + [1] * (10 - cut)
    assert len(samples.part("train")) + len(samples.part("val")) == 8


def test_of_two_folders_of_the_same_cars_one_is_taken_and_test_images_are_left_alone(cars, paint):
    cars("train", "train_hq")
    paint.images("test/a.jpg", "test_hq/a.jpg")

    pairs = recognise(paint.root)[1]

    assert {entry.image.parent.name for entry in pairs.entries} == {"train_hq"}
    assert len(pairs.entries) == 8
    assert pairs.reason == "the Carvana data set: train_hq and train_masks; left alone: train, test, test_hq"


def test_the_instance_map_is_the_connected_pieces(cars):
    samples = index(cars("train"))
    assert samples.objects_of(samples.samples[0]).tolist() == [[0] + [1] * 9] * 8
    assert not samples.objects_of(samples.samples[3]).any()


def test_other_split_folders_stay_split_folders(paint):
    paint.images("train/a.jpg", "val/b.jpg")
    paint.masks("train_masks/a_mask.gif", "val_masks/b_mask.gif")
    assert recognise(paint.root)[0] == "split_folders"


def test_a_car_without_a_mask_is_told(cars, paint):
    cars("train_hq")
    paint.images("train_hq/lone.jpg")
    assert any("train_hq/lone.jpg" in note for note in index(paint.root).notes)
