import pytest

from maskwright.data.index import index
from maskwright.data.layouts import recognise


@pytest.fixture
def scenes(paint):
    def scenes(images, annotations, parts):
        for part in parts:
            for name in "abc":
                paint.images(f"{images}/{part}/{part}{name}.jpg")
                paint.write(f"{annotations}/{part}/{part}{name}.png", paint.mask(0, 1, 2, 3))
        return paint

    return scenes


@pytest.mark.parametrize(
    ("images", "annotations", "parts"),
    [("img_dir", "ann_dir", ("train", "val")), ("images", "annotations", ("training", "validation"))],
)
def test_the_folders_are_read_and_zero_is_asked_for_not_guessed(images, annotations, parts, scenes):
    paint = scenes(images, annotations, parts)

    samples = index(paint.root)

    assert samples.layout == "mmsegmentation"
    assert {(s.split, s.name[:-1]) for s in samples.samples} == {("train", parts[0]), ("val", parts[1])}
    assert samples.labels.count == 4
    assert any("reduce_zero_label" in note and "ignore: [0]" in note for note in samples.notes)

    paint.write("dataset.yaml", "ignore: [0]\n")
    samples = index(paint.root)
    assert (samples.labels.count, samples.labels.ignored) == (3, (0,))


def test_a_part_without_annotations_is_to_predict_on(scenes):
    paint = scenes("img_dir", "ann_dir", ["train"])
    paint.images("img_dir/test/x.jpg")
    assert [(e.split, e.mask) for e in recognise(paint.root)[1].entries][-1] == ("test", None)


@pytest.mark.parametrize(
    ("images", "annotations", "parts"),
    [("images", "annotations", ("train", "val")), ("images", "masks", ("training",))],
)
def test_other_folders_of_parts_are_not_said_to_be_its(images, annotations, parts, scenes):
    name, pairs = recognise(scenes(images, annotations, parts).root)
    assert name == "split_folders"
    assert not any("reduce_zero_label" in note for note in pairs.notes)
