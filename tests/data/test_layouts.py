from pathlib import Path

import pytest

from maskwright.data.layouts import layouts, recognise
from maskwright.errors import DataError

# layout → files, and the pairs they are; a line is: image mask split, - for none
CASES = {
    "images and masks": ("paired_folders", ["images/a.png masks/a.png -", "images/b.png masks/b.png -"]),
    "capitals": ("paired_folders", ["Images/a.PNG Masks/a.png -"]),
    "other names": ("paired_folders", ["imgs/a.jpg labels/a_label.png -", "imgs/b.jpg labels/b_label.png -"]),
    "other formats": ("paired_folders", ["images/a.jpg masks/a.tif -", "images/b.tif masks/b_mask.png -"]),
    "voc": ("paired_folders", ["JPEGImages/a.jpg SegmentationClass/a.png -"]),
    "split, then kind": (
        "split_folders",
        [
            "train/images/a.png train/masks/a.png train",
            "valid/images/b.png valid/masks/b.png val",
            "test/images/c.png test/masks/c.png test",
        ],
    ),
    "kind, then split": (
        "split_folders",
        ["images/train/a.jpg masks/train/a.png train", "images/val/b.jpg masks/val/b_mask.png val"],
    ),
    "siblings": (
        "split_folders",
        ["train/a.png trainannot/a.png train", "val/b.png valannot/b.png val", "test/c.png testannot/c.png test"],
    ),
    "siblings with lines": ("split_folders", ["Train/a.jpg Train_masks/a_mask.png train"]),
    "test without masks": (
        "split_folders",
        ["train/images/a.png train/masks/a.png train", "test/images/c.png - test", "test/images/d.png - test"],
    ),
    "sibling test without masks": ("split_folders", ["train/a.png train_masks/a.png train", "test/c.png - test"]),
    "kind, then split without test masks": (
        "split_folders", ["images/train/a.png masks/train/a.png train", "images/test/b.png - test"],
    ),
    "tgs salt": ("paired_folders", ["images/000e218f21.png masks/000e218f21.png -"]),
    "tgs salt unpacked": (
        "split_folders", ["train/images/000e.png train/masks/000e.png train", "test/images/001b.png - test"],
    ),
    "one folder": ("one_folder", ["a.jpg a_mask.png -", "b.jpg b_mask.png -"]),
    "one folder of capitals": ("one_folder", ["a.png a_L.png -", "b_im.png b_P.png -", "c.tif c-mask.png -"]),
}  # fmt: skip


def facts(root, pairs):
    """The pairs as lines of `CASES`."""

    def inside(path):
        return str(path.relative_to(root)) if path else "-"

    return sorted(f"{inside(e.image)} {inside(e.mask)} {e.split or '-'}" for e in pairs.entries)


def painted(paint, lines):
    for line in lines:
        image, mask, _ = line.split()
        paint.images(image)
        if mask != "-":
            paint.masks(mask)


@pytest.mark.parametrize("case", CASES)
def test_a_folder_is_recognised(case, paint):
    layout, lines = CASES[case]
    painted(paint, lines)
    paint.write("README.md", "about these data")
    paint.write("notes.txt", "line of words\n")
    paint.write("depths.csv", "id,z\n000e218f21,306\n")
    paint.write("train.csv", "id,rle_mask\n000e218f21,1 5\n")
    paint.write(".DS_Store", b"\0\1")

    name, pairs = recognise(paint.root)

    assert name == layout
    assert facts(paint.root, pairs) == sorted(lines)
    assert pairs.images_alone == pairs.masks_alone == ()
    assert pairs.reason


@pytest.mark.parametrize("prefix", ["", "/SegNet/CamVid/", "C:\\work\\camvid\\", "./"])
def test_lists_of_pairs_are_read_whatever_path_stands_in_front(prefix, paint):
    painted(paint, CASES["siblings"][1])
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        image, mask = f"{prefix}{split}/{name}.png", f"{prefix}{split}annot/{name}.png"
        if "\\" in prefix:
            image, mask = image.replace("/", "\\"), mask.replace("/", "\\")
        paint.write(f"{split}.txt", f"{image} {mask}\n\n")

    name, pairs = recognise(paint.root)

    assert name == "lists"
    assert facts(paint.root, pairs) == sorted(CASES["siblings"][1])


def test_what_is_on_no_list_is_left_out(paint):
    painted(paint, CASES["siblings"][1])
    paint.write("train.txt", "train/a.png,trainannot/a.png\n")
    paint.images("train/extra.png")
    assert facts(paint.root, recognise(paint.root)[1]) == ["train/a.png trainannot/a.png train"]


def test_a_list_may_start_with_the_mark_of_windows(paint):
    painted(paint, CASES["siblings"][1])
    paint.write("train.txt", "\ufefftrain/a.png\ttrainannot/a.png\r\n")
    assert facts(paint.root, recognise(paint.root)[1]) == ["train/a.png trainannot/a.png train"]


def test_a_list_may_name_files_elsewhere(paint, tmp_path):
    paint.images("../elsewhere/a.png")
    paint.masks("../elsewhere/a_mask.png")
    paint.write("train.txt", f"{tmp_path}/elsewhere/a.png {tmp_path}/elsewhere/a_mask.png\n")
    (entry,) = recognise(paint.root)[1].entries
    assert (entry.image, entry.mask) == (tmp_path / "elsewhere/a.png", tmp_path / "elsewhere/a_mask.png")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("train/a.png trainannot/lost.png", "line 3: trainannot/lost.png does not exist"),
        ("/SegNet/train/lost.png trainannot/a.png", "line 3: /SegNet/train/lost.png does not exist"),
        ("train/a.png", "line 3: expected an image and a mask, found 'train/a.png'"),
        ("train/a.png trainannot/a.png 4", "line 3: expected an image and a mask"),
        ("train/a.png train/a.png", "would be its own mask"),
    ],
)
def test_a_line_of_a_list_that_does_not_hold_is_told_by_number(line, says, paint):
    painted(paint, CASES["siblings"][1])
    paint.write("train.txt", f"train/a.png trainannot/a.png\n\n{line}\n")
    with pytest.raises(DataError) as caught:
        recognise(paint.root)
    assert says in str(caught.value)
    assert "train.txt" in str(caught.value)


@pytest.mark.parametrize("text", ["a\nb\n", "train/a.png\n", "some words about training\n", "3 classes\n"])
def test_another_text_called_train_is_no_list(text, paint):
    painted(paint, CASES["siblings"][1])
    paint.write("train.txt", text)
    assert recognise(paint.root)[0] == "split_folders"


def test_an_empty_masks_folder_of_a_test_split_is_none(paint):
    painted(paint, CASES["test without masks"][1])
    (paint.root / "test" / "masks").mkdir()
    assert facts(paint.root, recognise(paint.root)[1]) == sorted(CASES["test without masks"][1])


@pytest.mark.parametrize("lines", [CASES[case][1] for case in ("images and masks", "siblings", "one folder")])
def test_what_has_no_partner_is_kept_apart(lines, paint):
    painted(paint, lines)
    image, mask, _ = (Path(part) for part in lines[0].split())
    paint.images(str(image.with_name(f"lone{image.suffix}")))
    paint.masks(str(mask.with_name(mask.name.replace("a", "widow", 1))))

    pairs = recognise(paint.root)[1]

    assert facts(paint.root, pairs) == sorted(lines)
    assert [path.name for path in pairs.images_alone] == [f"lone{image.suffix}"]
    assert [path.name for path in pairs.masks_alone] == [mask.name.replace("a", "widow", 1)]


@pytest.mark.parametrize(
    "files",
    [
        ["a.png", "b.png"],
        ["images/a.png", "images/b.png"],
        ["train/a.png", "test/b.png"],
        ["train/images/a.png", "test/images/b.png"],
        ["a_mask.png", "b_mask.png"],
        ["deep/er/images/a.png", "deep/er/masks/a.png"],
        ["images/train/a.png", "masks/val/b.png"],
    ],
)
def test_images_without_masks_are_no_data_set_and_the_error_says_what_is_there(files, paint):
    paint.images(*files)
    with pytest.raises(DataError) as caught:
        recognise(paint.root)
    for part in (str(paint.root), files[0].split("/")[0], "images/ and masks/", "NAME_mask.png", "dataset.yaml"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("files", "says"), [([], "is empty"), ([".DS_Store"], "is empty"), (["notes.txt"], "notes.txt")]
)
def test_a_folder_without_pictures_is_told(files, says, paint):
    for name in files:
        paint.write(name, "words")
    with pytest.raises(DataError, match=says):
        recognise(paint.root)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="nowhere is not a folder"):
        recognise(tmp_path / "nowhere")


def test_every_layout_says_nothing_about_an_empty_folder(tmp_path):
    for name, layout in layouts.items():
        assert layout(tmp_path) is None, name
        assert layout.__call__.__doc__, name
    ranks = [layout.rank for _, layout in layouts.items()]
    assert len(set(ranks)) == len(ranks)


def test_a_layout_of_the_users_own_is_asked_too(paint, monkeypatch):
    monkeypatch.setattr(layouts, "_parts", dict(layouts.items()))

    class Twins:
        rank = 5

        def __call__(self, root):
            return recognise(root / "deep")[1] if (root / "deep").is_dir() else None

    layouts.register("twins")(Twins())
    painted(paint, ["deep/images/a.png deep/masks/a.png -"])

    assert recognise(paint.root)[0] == "twins"
