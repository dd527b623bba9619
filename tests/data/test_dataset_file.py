import pytest

from maskwright.data.dataset_file import DatasetFile, find, speaks_of_colours
from maskwright.data.index import index
from maskwright.errors import DataError, SettingError


def names(samples, split=None):
    return sorted(s.name for s in samples.samples if split in (None, s.split))


def test_a_folder_needs_no_file(paint):
    assert find(paint.root) == (paint.root, DatasetFile())


def test_the_folder_or_the_file_may_be_given(paint):
    file = paint.write("dataset.yaml", "skip: [a]\n")
    other = paint.write("mine.yml", "skip: [b]\n")
    assert find(paint.root) == find(file) == (paint.root, DatasetFile(skip=("a",)))
    assert find(str(other)) == (paint.root, DatasetFile(skip=("b",)))


def test_folders_of_any_name_can_be_stated(paint):
    paint.images("photos/a.jpg", "photos/b.jpg", "images/other.png")
    paint.masks("drawn/a.png", "drawn/b_mask.png", "masks/other.png")
    paint.write("dataset.yaml", "images: photos\nmasks: drawn\n")

    samples = index(paint.root)

    assert samples.layout == "stated"
    assert {(s.image, s.mask) for s in samples.samples} == {
        ("photos/a.jpg", "drawn/a.png"),
        ("photos/b.jpg", "drawn/b_mask.png"),
    }


def test_the_data_may_lie_elsewhere(paint, tmp_path):
    paint.images("images/a.png", "images/b.png")
    paint.masks("masks/a.png", "masks/b.png")
    (tmp_path / "mine").mkdir()
    file = tmp_path / "mine" / "dataset.yaml"
    for path in ("../data", str(paint.root)):
        file.write_text(f"path: {path}\n")
        assert names(index(file)) == names(index(tmp_path / "mine")) == ["a", "b"]


def test_what_is_stated_is_law(paint):
    for name in ("a1", "a2", "b1", "b2", "c1"):
        paint.write(f"images/{name}.png", paint.image())
        paint.write(f"masks/{name}.png", paint.mask(0, 1, 2, 128))
    paint.write(
        "dataset.yaml",
        "classes: {wall: [0, 1], crack: 2}\nignore: [128]\nsplit: {test: ['a*'], val: [b1.png]}\nskip: ['c?.png']\n",
    )

    samples = index(paint.root)

    assert {c.name: c.values for c in samples.labels.classes} == {"wall": (0, 1), "crack": (2,)}
    assert samples.labels.ignored == (128,)
    assert (names(samples, "test"), names(samples, "val"), names(samples, "train")) == (["a1", "a2"], ["b1"], ["b2"])
    assert "dataset.yaml" in samples.notes[1]


def test_a_value_that_the_file_does_not_state_is_told(paint):
    paint.write("images/a.png", paint.image())
    mask = paint.write("masks/a.png", paint.mask(0, 1, 2, 3))
    paint.write("dataset.yaml", "classes: {wall: 0, crack: 1}\nignore: [3]\n")
    with pytest.raises(DataError) as caught:
        index(paint.root)
    assert f"{mask} has 24 pixels of value 2, which is no class (known: 0 = wall, 1 = crack)" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("clases: {a: 0, b: 1}\n", SettingError, "Unknown key 'clases' in .*Did you mean 'classes'"),
        ("classes: {a: 0}\n", SettingError, "classes in .*at least 2"),
        ("split: {testing: [a]}\n", SettingError, "split.testing"),
        ("skip: img_07\n", SettingError, "skip in .*given: 'img_07'"),
        ("images: photos\n", DataError, "images: and masks: belong together"),
        ("masks: drawn\n", DataError, "images: and masks: belong together"),
        ("images: photos\nmasks: drawn\n", DataError, "names the folder .*photos, which does not exist"),
        ("images: images\nmasks: empty\n", DataError, "holds no pictures"),
        ("path: ../nowhere\n", DataError, "nowhere is not a folder"),
        ("classes: {a: 0, b: red}\n", DataError, "'red' is not a mask value"),
        ("classes: {a: 0, b: 0}\n", DataError, "more than one class"),
        ("ignore: [void]\n", DataError, "'void' is not a mask value"),
        ("split: {val: [z*]}\n", DataError, "The val pattern 'z\\*' matches no image"),
    ],
)
def test_what_cannot_be_meant_is_told(text, error, says, paint):
    paint.images("images/a.png", "images/b.png")
    paint.masks("masks/a.png", "masks/b.png")
    (paint.root / "empty").mkdir()
    paint.write("dataset.yaml", text)
    with pytest.raises(error, match=says):
        index(paint.root)


def test_a_place_without_data_is_told(paint):
    with pytest.raises(DataError, match="nowhere does not exist"):
        find(paint.root / "nowhere")
    with pytest.raises(DataError, match=r"is a file\. Give the folder"):
        find(paint.write("a.png", "words"))


@pytest.mark.parametrize(
    ("stated", "colours"),
    [
        ({}, False),
        ({"classes": {"a": 0, "b": [1, 2]}, "ignore": (3,)}, False),
        ({"classes": {"a": 0, "b": ["#ff0000"]}}, True),
        ({"classes": {"a": "#000000", "b": 1}}, True),
        ({"ignore": ("#ff0000",)}, True),
    ],
)
def test_colours_are_told_from_numbers(stated, colours):
    assert speaks_of_colours(DatasetFile(**stated)) == colours
