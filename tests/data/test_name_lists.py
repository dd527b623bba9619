import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.errors import DataError


@pytest.fixture
def four(paint):
    for name in "abcd":
        paint.images(f"images/{name}.png")
        paint.masks(f"labels/{name}_P.png")
    return paint


def parts(pairs):
    found = {"train": "", "val": "", "test": "", None: ""}
    for entry in pairs.entries:
        found[entry.split] += entry.image.stem
    return {split: names for split, names in found.items() if names}


def test_camvid_is_read_as_fastai_gives_it(four):
    names = ["0001TP_006690", "0006R0_f00930", "0016E5_07959"]
    for name in names:
        four.images(f"images/{name}.png")
        four.write(f"labels/{name}_P.png", four.mask(0, 1, 2, 3))
    for name in "abcd":
        four.write(f"labels/{name}_P.png", four.mask(0, 1, 2))
    four.write("codes.txt", "Animal\nArchway\nBicyclist\nVoid\nWall\n")
    four.write("valid.txt", "0016E5_07959.png\nb.png\n")

    samples = index(four.root)

    assert samples.labels.names == ["Animal", "Archway", "Bicyclist", "Wall"]
    assert samples.labels.ignored == (3,)
    assert sorted(s.name for s in samples.part("val")) == ["0016E5_07959", "b"]
    assert len(samples.part("train")) == 5
    assert samples.notes[0] == "folders images and labels, paired by name; valid.txt names 2"


FORMS = ["{}", "{}.png", "images/{}", "images/{}.png", "./images/{}.png"]


@pytest.mark.parametrize("form", [*FORMS, "C:\\me\\images\\{}.png", "/data/camvid/images/{}.png"])
def test_a_name_may_stand_with_or_without_its_ending_and_its_folder(form, four):
    four.write("val.txt", f"\ufeff{form.format('b')}\r\n\r\n  {form.format('d')}\n")
    assert parts(recognise(four.root)[1]) == {None: "ac", "val": "bd"}


def test_lists_beside_one_folder_of_images_and_masks_are_read_too(paint):
    for name in "abc":
        paint.images(f"{name}.jpg")
        paint.masks(f"{name}_mask.png")
    paint.write("test.txt", "b\n")
    name, pairs = recognise(paint.root)
    assert (name, parts(pairs)) == ("one_folder", {None: "ac", "test": "b"})


def test_lists_beside_stated_folders_are_read_too(paint):
    paint.images("photos/a.png", "photos/b.png")
    paint.masks("drawn/a.png", "drawn/b.png")
    paint.write("dataset.yaml", "images: photos\nmasks: drawn\n")
    paint.write("test.txt", "photos/b.png\n")
    assert [s.name for s in index(paint.root).part("test")] == ["b"]


def test_with_a_list_for_training_what_is_on_no_list_is_left_out(four):
    four.write("train.txt", "a\nc\n")
    four.write("valid.txt", "b\n")
    four.images("images/lone.png")
    pairs = recognise(four.root)[1]
    assert parts(pairs) == {"train": "ac", "val": "b"}
    assert pairs.images_alone == ()
    assert pairs.reason.endswith("train.txt names 2, valid.txt names 1; 1 images on no list are left out")


def test_a_listed_image_without_a_mask_is_still_told(four):
    four.images("images/lone.png")
    four.write("train.txt", "a\nlone\n")
    assert any("no mask: images/lone.png" in note for note in index(four.root).notes)


@pytest.mark.parametrize("text", ["some words about training\n", "0.83\n0.87\n", "\n", ""])
def test_a_text_that_names_no_image_is_no_list(text, four):
    four.write("train.txt", text)
    assert parts(recognise(four.root)[1]) == {None: "abcd"}


@pytest.mark.parametrize(("line", "says"), [("z.png", "no image .* 'z.png'"), ("a b", "no image is called 'a b'")])
def test_a_line_that_names_no_image_is_told_by_number(line, says, four):
    four.write("valid.txt", f"a.png\n\n{line}\n")
    with pytest.raises(DataError, match=f"valid.txt, line 3: {says}"):
        recognise(four.root)


def test_a_name_that_means_two_images_is_told(four):
    four.images("images/a.jpg")
    four.masks("labels/a.png")
    four.write("valid.txt", "a\n")
    with pytest.raises(DataError, match=r"valid\.txt, line 1: 2 images are called 'a'"):
        recognise(four.root)


def test_an_image_on_two_lists_is_told(four):
    four.write("train.txt", "a\nb\n")
    four.write("val.txt", "b\n")
    with pytest.raises(DataError, match=r"train\.txt and val\.txt .* both name b\.png"):
        recognise(four.root)


def test_lists_of_pairs_are_still_lists_of_pairs(four):
    four.write("train.txt", "images/a.png labels/a_P.png\n")
    name, pairs = recognise(four.root)
    assert (name, parts(pairs)) == ("lists", {"train": "a"})
