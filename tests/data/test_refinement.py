"""Masks of the field of view, in both directions: seen for what they are, and other masks not taken for them."""

import numpy as np
import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError

SIZE = (40, 48)
_ROWS, _COLUMNS = np.ogrid[: SIZE[0], : SIZE[1]]
VIEW = (_ROWS - 20) ** 2 + (_COLUMNS - 24) ** 2 <= 18**2


def retina(number, view=VIEW):
    noise = np.random.default_rng(number).integers(80, 250, (*SIZE, 3), np.uint8)
    return noise * view[:, :, None]


def vessels(number, view=VIEW):
    mask = np.zeros(SIZE, np.uint8)
    mask[10 + number : 13 + number] = 255
    return mask * view


@pytest.fixture
def drive(paint):
    """DRIVE in small: the second manual is of the test part only."""
    for part, first in (("training", 21), ("test", 1)):
        for number in range(first, first + 3):
            name = f"{number:02}"
            paint.write(f"{part}/images/{name}_{part}.tif", retina(number))
            paint.write(f"{part}/1st_manual/{name}_manual1.gif", vessels(number % 20))
            if part == "test":
                paint.write(f"{part}/2nd_manual/{name}_manual2.gif", vessels(number % 20 + 1))
            paint.write(f"{part}/mask/{name}_{part}_mask.gif", VIEW.astype(np.uint8) * 255)
    return paint


def test_drive_is_read_with_its_fields_of_view(drive):
    samples = index(drive.root)

    assert samples.layout == "annotators"
    assert any("training/mask" in n and "field of view" in n and "valid: mask" in n for n in samples.notes)
    for sample in samples.samples:
        part = sample.image.split("/")[0]
        assert sample.mask.startswith(f"{part}/1st_manual/")
        assert sample.valid.startswith(f"{part}/mask/")
        labels = samples.labels_of(sample)
        assert (labels[~VIEW] == 255).all()
        assert sum(sample.values.values()) == VIEW.sum()
    train = {s.name: s for s in samples.samples}["21_training"]
    assert (samples.labels_of(train)[VIEW] == (vessels(1) > 0)[VIEW]).all()
    assert {s.source for s in samples.samples if s.split == "test"} == {"votes"}


def test_one_part_of_drive_alone_is_read_too(drive):
    samples = index(drive.root / "training")
    assert samples.layout == "annotators"
    assert {s.source for s in samples.samples} == {"mask_file"}
    assert all(s.valid for s in samples.samples)


def views(paint, labels="labels", view="mask", same=True):
    for number in range(4):
        moved = VIEW if same else np.roll(VIEW, 9 * number - 12, axis=1)
        paint.write(f"images/{number}.png", retina(number, moved))
        if labels:
            paint.write(f"{labels}/{number}.png", vessels(number, moved))
        if view:
            paint.write(f"{view}/{number}.png", moved.astype(np.uint8) * 255)
    return paint.root


def test_a_folder_called_mask_need_not_hold_the_labels(paint):
    samples = index(views(paint))
    assert {s.mask.split("/")[0] for s in samples.samples} == {"labels"}
    assert {s.valid.split("/")[0] for s in samples.samples} == {"mask"}


def test_fields_of_view_alone_are_asked_about_not_trained_on(paint):
    root = views(paint, labels=None)
    with pytest.raises(DataError, match="mask looks like masks of the field of view") as caught:
        index(root)
    assert "valid: mask" in str(caught.value)
    assert "layout: paired_folders" in str(caught.value)
    paint.write("dataset.yaml", "layout: paired_folders\n")
    assert {s.mask.split("/")[0] for s in index(root).samples} == {"mask"}


@pytest.mark.parametrize("text", ["images: images\nmasks: mask\n", "images: images\nmasks: labels\nvalid: mask\n"])
def test_what_is_stated_is_law(text, paint):
    root = views(paint)
    paint.write("dataset.yaml", text)
    samples = index(root)
    stated = text.split("masks: ")[1].split("\n")[0]
    assert {s.mask.split("/")[0] for s in samples.samples} == {stated}
    assert {bool(s.valid) for s in samples.samples} == {"valid" in text}


def test_valid_pixels_can_be_stated_whatever_they_look_like(paint):
    root = views(paint, view=None)
    for number in range(3):
        mask = np.zeros(SIZE, np.uint8)
        mask[::2] = 1
        paint.write(f"clear/{number}.png", mask)
    paint.write("dataset.yaml", "valid: clear\n")
    samples = index(root)
    assert [bool(s.valid) for s in samples.samples] == [True] * 3 + [False]
    assert (samples.labels_of(samples.samples[0])[1::2] == 255).all()
    assert any("clear count nowhere, as dataset.yaml says; 1 images have no such file" in n for n in samples.notes)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_stated_folder_without_such_files_is_told(name, paint):
    root = views(paint, view=None)
    (root / "empty").mkdir()
    paint.write("dataset.yaml", f"valid: {name}\n")
    with pytest.raises(DataError, match=f"valid: {name}, but"):
        index(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda image, mask: (np.maximum(image, 60), mask),  # not black around
        lambda image, mask: (image, np.roll(mask, int(image[20, 24, 0]) % 7 * 5, axis=1)),  # another each time
        lambda image, mask: (image, mask * (np.arange(SIZE[1]) % 12 > 1)),  # several regions
        lambda image, mask: (image, mask * ((_ROWS - 20) ** 2 + (_COLUMNS - 24) ** 2 > 9)),  # a hole
        lambda image, mask: (image, mask * (_ROWS < 16)),  # small
    ],
)
def test_other_masks_are_not_taken_for_fields_of_view(change, paint):
    for number in range(4):
        image, mask = change(retina(number), VIEW.astype(np.uint8) * 255)
        paint.write(f"images/{number}.png", image.astype(np.uint8))
        paint.write(f"mask/{number}.png", mask.astype(np.uint8))
    name, pairs = recognise(paint.root)
    assert name == "paired_folders"
    assert not any(entry.valid for entry in pairs.entries)


def test_objects_before_black_are_not_taken_for_fields_of_view(paint):
    assert {s.mask.split("/")[0] for s in index(views(paint, labels=None, same=False)).samples} == {"mask"}


def test_two_folders_of_masks_are_asked_about(paint):
    for name in "abc":
        paint.images(f"images/{name}.png")
        paint.masks(f"masks/{name}.png", f"labels/{name}.png")
    with pytest.raises(DataError, match=r"Both masks and labels hold files .* masks: masks, or masks: labels"):
        index(paint.root)
    paint.write("dataset.yaml", "images: images\nmasks: labels\n")
    assert {s.mask.split("/")[0] for s in index(paint.root).samples} == {"labels"}


@pytest.mark.parametrize("other", ["labels/x{}.png", "labels_colour/{}.png", "previews/{}.png", "val_masks/{}.png"])
def test_other_folders_are_not_asked_about(other, paint):
    for name in "abc":
        paint.images(f"images/{name}.png", other.format(name))
        paint.masks(f"masks/{name}.png")
    assert recognise(paint.root)[0] == "paired_folders"
