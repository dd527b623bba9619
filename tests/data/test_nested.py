import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.layouts.nested import Nested
from maskwright.errors import DataError


def paired(paint, lines):
    for line in lines:
        image, mask, _ = line.split()
        paint.images(image)
        if mask != "-":
            paint.masks(mask)


def facts(root, pairs):
    def inside(path):
        return path.relative_to(root).as_posix() if path else "-"

    return sorted(f"{inside(e.image)} {inside(e.mask)} {e.split or '-'}" for e in pairs.entries)


CASES = {
    "cases": ["p1/images/1.png p1/masks/1.png -", "p2/images/1.png p2/masks/1.png -"],
    "cities": ["images/ulm/a.png masks/ulm/a.png -", "images/bonn/a.png masks/bonn/a.png -"],
    "one city": ["images/ulm/a.png masks/ulm/a.png -", "images/ulm/b.png masks/ulm/b.png -"],
    "patients": ["p1/image.png p1/mask.png -", "p2/image.png p2/mask.png -"],
    "patients of names": ["p1/p1.tif p1/p1_mask.tif -", "p2/p2.tif p2/p2_mask.tif -"],
    "sequences": ["s1/img/01.jpg s1/gt/01.png -", "s2/img/01.jpg s2/gt/01.png -", "s2/img/02.jpg s2/gt/02.png -"],
    "parts of cities": ["train/ulm/images/a.png train/ulm/masks/a.png train",
        "val/bonn/images/a.png val/bonn/masks/a.png val"],
    "cities of parts": ["images/train/ulm/a.png masks/train/ulm/a.png train",
        "images/val/ulm/a.png masks/val/ulm/a.png val"],
    "spelled together": ["train_images/a.png train_masks/a.png train", "val_images/b.png val_masks/b.png val"],
    "the other way": ["images_train/a.png labels_train/a.png train", "images_test/b.png - test"],
    "camels": ["TrainDataset/image/a.png TrainDataset/mask/a.png train",
        "TestDataset/Kvasir/images/b.png TestDataset/Kvasir/masks/b.png test"],
    "unlike names in a case": ["p1/images/scan.png p1/labels/drawn.png -", "p2/images/scan2.png p2/labels/x.png -"],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_folders_in_folders_are_paired_by_the_rest_of_their_paths(case, paint):
    paired(paint, CASES[case])
    pairs = Nested()(paint.root)
    assert facts(paint.root, pairs) == sorted(CASES[case])
    assert pairs.images_alone == pairs.masks_alone == ()


def test_equal_names_of_other_cases_are_no_pair(paint):
    paired(paint, CASES["cases"])
    paint.images("p3/images/1.png")
    paint.masks("p4/masks/1.png")
    pairs = recognise(paint.root)[1]
    assert facts(paint.root, pairs) == sorted(CASES["cases"])
    assert [path.parent.parent.name for path in pairs.images_alone] == ["p3"]


@pytest.mark.parametrize(
    "files",
    [
        ["p1/a.png", "p1/b.png", "p2/a.png"],
        ["p1/images/a.png", "p2/images/a.png"],
        ["masks/ulm/a.png", "masks/bonn/a.png"],
        ["deep/er/images/a.png", "deep/er/masks/a.png"],
        ["images/a.png", "other/a.png"],
    ],
)
def test_what_names_no_masks_is_not_read_so(files, paint):
    paint.images(*files)
    assert Nested()(paint.root) is None
    with pytest.raises(DataError, match="No images with masks"):
        recognise(paint.root)


def test_samples_of_equal_names_have_names_of_their_own(paint):
    paired(paint, CASES["patients"])
    samples = index(paint.root)
    assert sorted(s.name for s in samples.samples) == ["p1/image", "p2/image"]
