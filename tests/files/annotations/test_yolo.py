import pytest

from maskwright.errors import ReadError
from maskwright.files.annotations import draw, read_annotations

YAML = "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n"
LARGE, SMALL = "0 0 0 1 0 1 1 0 1\n", "1 0 0 0.5 0 0.5 0.5 0 0.5\n"


@pytest.fixture
def data(written):
    written("labels/train/a.v1.txt", SMALL + LARGE)
    written("labels/val/b.txt", "\n")
    written("train.txt", "./images/train/a.v1.jpg\n")
    return written("data.yaml", YAML)


def test_the_smaller_lies_over_the_larger_in_shares_of_the_image(data, marks):
    image = read_annotations(data).of("images/train/a.v1.jpg")

    assert image.size is None
    assert marks(draw(image.shapes, (2, 4), {"cat": 1, "dog": 2})) == ["2211", "1111"]
    assert draw(image.shapes, (30, 70), {"cat": 1, "dog": 2}).tolist()[14][33:37] == [2, 2, 1, 1]


def test_the_yaml_the_folder_and_the_folder_of_labels_say_the_same(data):
    for path in (data, data.parent, data.parent / "labels"):
        found = read_annotations(path)
        assert (found.format, found.names) == ("yolo", ("cat", "dog"))
        assert [image.file for image in found.images] == ["train/a.v1.txt", "val/b.txt"]
        assert found.of("images/val/b.png").shapes == ()


def test_equal_names_in_different_folders_are_told_apart(data, written):
    written("labels/val/a.v1.txt", LARGE)
    found = read_annotations(data)

    assert len(found.of("images/val/a.v1.jpg").shapes) == 1
    assert len(found.of("images/train/a.v1.jpg").shapes) == 2


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("data.yaml", "names: [cat, dog]\nnc: 2", ("cat", "dog")),
        ("labels/classes.txt", "cat\ndog\n\n", ("cat", "dog")),
        ("obj.names", "cat\ndog\n", ("cat", "dog")),
        ("dataset.yaml", "classes: {cat: 0, dog: 1}\n", ("1", "0")),  # our own names no YOLO classes
    ],
)
def test_names_are_found_around_the_labels(written, file, text, names):
    written(file, text)
    path = written("labels/a.txt", SMALL + LARGE)
    found = read_annotations(path)

    assert found.names == names
    assert bool(found.notes) == (names == ("1", "0"))


def test_changed_names_are_seen(written, data):
    path = data.parent / "labels/train/a.v1.txt"
    assert read_annotations(path).names == ("cat", "dog")
    written("data.yaml", YAML.replace("cat", "zebra"))

    assert read_annotations(path).names == ("zebra", "dog")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2 0.2", "line 2: a box"),
        ("0 0.5 0.5 0.2 0.2 0.9", "line 2: a box"),
        ("0 1 1 1 1 1 1 1", "8 numbers; a class"),
        ("0 10 10 50 50 9 9", "50 is no share"),
        ("0 0 0 1 0 1 nan", "line 2: its points"),
        ("cat 0 0 1 0 1 1", "starts with 'cat'"),
        ("7 0 0 1 0 1 1", "class 7, but there are names for 0 to 1"),
    ],
)
def test_faults_are_told_with_their_line(data, written, line, message):
    written("labels/train/a.v1.txt", LARGE + line)
    for path in (data, data.parent / "labels/train/a.v1.txt"):
        with pytest.raises(ReadError, match=message):
            read_annotations(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (YAML + "kpt_shape: [17, 3]", "pose"),
        ("names: {a: b}", "numbers of classes"),
        ("names: [a, a]", "Name each class once"),
        ("names: [a, [b]]", "name 1 is"),
        ("names: {0: a", "broken YAML"),
        ("names: 2020-02-31", "broken YAML"),
    ],
)
def test_a_list_of_classes_must_be_one(data, written, text, message):
    with pytest.raises(ReadError, match=message):
        read_annotations(written("data.yaml", text))


def test_a_list_without_labels_is_told(written):
    with pytest.raises(ReadError, match="no folder `labels`"):
        read_annotations(written("data.yaml", YAML))
