from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.index import index
from maskwright.data.layouts import recognise
from maskwright.data.layouts.annotators import Annotators
from maskwright.data.sources.votes import vote
from maskwright.errors import DataError


def left(columns):
    mask = np.zeros((8, 10), np.uint8)
    mask[:, :columns] = 255
    return mask


@pytest.fixture
def drawn(paint):
    def drawn(form, widths=(3, 5, 8), who=("1", "2", "3"), image="images/{}.jpg"):
        for name in ("n1", "n2", "n3"):
            paint.write(image.format(name), paint.image(8, 10, 3))
            for person, width in zip(who, widths, strict=False):
                paint.write(form.format(name=name, who=person), left(width))
        return paint

    return drawn


@pytest.mark.parametrize(
    "form",
    [
        "annotator{who}/{name}.png", "masks/rater_{who}/{name}_mask.png", "masks/{name}_expert{who}.png",
        "labels/{name}-reader{who}.png",
    ],
)  # fmt: skip
def test_most_votes_count(form, drawn):
    samples = index(drawn(form).root)

    assert samples.layout == "annotators"
    for sample in samples.samples:
        assert sample.source == "votes"
        assert len(sample.parts) == 3
        np.testing.assert_array_equal(samples.labels_of(sample), left(5) // 255)
    assert samples.labels.names == ["background", "foreground"]
    assert any("the most votes count, and pixels of a tie are ignored" in note for note in samples.notes)


def test_a_tie_counts_nowhere(drawn):
    samples = index(drawn("expert{who}/{name}.png", who="ab").root)
    sample = samples.samples[0]
    assert samples.labels_of(sample)[0].tolist() == [1] * 3 + [255] * 2 + [0] * 5
    assert type(samples).load(samples.save(drawn("expert{who}/{name}.png", who="ab").root / "s.json")) == samples


def test_one_can_be_believed(drawn):
    paint = drawn("expert{who}/{name}.png")
    paint.write("dataset.yaml", "annotators: expert3\n")
    samples = index(paint.root)
    assert {s.source for s in samples.samples} == {"mask_file"}
    np.testing.assert_array_equal(samples.labels_of(samples.samples[0]), left(8) // 255)
    assert "expert3 is believed, as dataset.yaml says" in samples.notes


def test_a_vote_can_be_stated_and_another_name_is_told(drawn):
    paint = drawn("expert{who}/{name}.png")
    paint.write("dataset.yaml", "annotators: vote\n")
    assert index(paint.root).samples[0].source == "votes"
    paint.write("dataset.yaml", "annotators: expert9\n")
    with pytest.raises(DataError, match="annotators: expert9; they are called expert1, expert2, expert3, or say vote"):
        index(paint.root)


def test_an_image_that_one_has_drawn_is_as_that_one_says(drawn):
    paint = drawn("expert{who}/{name}.png", who="12")
    (paint.root / "expert2/n2.png").unlink()
    samples = index(paint.root)
    by_name = {sample.name: sample for sample in samples.samples}
    assert by_name["n2"].source == "mask_file"
    np.testing.assert_array_equal(samples.labels_of(by_name["n2"]), left(3) // 255)


def test_an_image_that_nobody_has_drawn_is_told(drawn):
    paint = drawn("expert{who}/{name}.png")
    paint.images("images/lone.jpg")
    assert [path.name for path in recognise(paint.root)[1].images_alone] == ["lone.jpg"]


def test_masks_of_unequal_size_are_told(drawn):
    paint = drawn("expert{who}/{name}.png")
    paint.write("expert2/n2.png", left(5)[:7])
    with pytest.raises(DataError, match=r"expert2/n2\.png and .*expert1/n2\.png of the same image are 8×10 and 7×10"):
        index(paint.root)


def test_colours_are_voted_on_too(paint):
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    for name in "abc":
        paint.write(f"images/{name}.png", paint.image(4, 6, 3))
        for person, row in enumerate(([0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 0], [0, 0, 0, 0, 0, 0])):
            paint.write(f"expert{person}/{name}.png", colours[np.array([row] * 4)])
    samples = index(paint.root)
    assert samples.labels.names == ["#000000", "#0000ff", "#ff0000"]
    assert samples.labels_of(samples.samples[0])[0].tolist() == [0, 0, 2, 255, 1, 0]


@pytest.mark.parametrize(
    "files",
    [
        ["images/a.png", "masks/a.png"],
        ["images/a.png", "experts/a.png"],
        ["annotator1/a.png", "annotator2/a.png"],
        ["images/a.png", "annotator1/b.png"],
        ["images/a_reader1.png", "images/b_reader1.png"],
    ],
)
def test_other_folders_are_no_annotators(files, paint):
    paint.images(*files)
    assert Annotators()(paint.root) is None


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_a_vote_is_as_pixel_by_pixel(masks):
    found = vote([np.array(mask, np.uint8).reshape(2, 2) for mask in masks], 99).ravel()
    for place in range(4):
        (first, times), *rest = Counter(mask[place] for mask in masks).most_common()
        assert found[place] == (99 if rest and rest[0][1] == times else first)
