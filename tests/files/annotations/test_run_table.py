import numpy as np
import pytest

from maskwright.errors import ReadError
from maskwright.files import write_run_lengths
from maskwright.files.annotations import Reading, draw, draw_objects, read_annotations


def test_what_we_write_is_read(written, tmp_path):
    masks = np.random.default_rng(0).random((2, 5, 7)) > 0.5
    path = write_run_lengths(tmp_path / "runs.csv", [("a", masks[0]), ("b", masks[1]), ("c", [])])
    found = read_annotations(path)

    assert (found.format, found.names) == ("run-table", ("foreground",))
    for name, mask in zip("ab", masks, strict=True):
        np.testing.assert_array_equal(draw(found.of(f"x/{name}.png").shapes, (5, 7), {"foreground": 1}), mask)
    assert found.of("c.png").shapes == ()
    assert found.of("d.png") is None


def test_several_rows_of_an_image_are_several_objects(written, marks):
    found = read_annotations(written("t.csv", "ImageId,EncodedPixels\nx,1 2\nx,5 1 8 1\n"))

    assert marks(draw_objects(found.of("x.png").shapes, (2, 4))) == ["1020", "1002"]


@pytest.mark.parametrize(
    "text",
    [
        "ImageId,ClassId,EncodedPixels\nx.jpg,3,1 1\nx.jpg,10,2 1\ny.jpg,,\n",
        "img;label;rle_mask\nx.jpg;10;2 1\nx.jpg;3;1 1\ny.jpg;3;-1\n",
        "ImageId_ClassId,EncodedPixels\nx.jpg_3,1 1\nx.jpg_10,2 1\ny.jpg_1,\n",
        '\ufeffid,class,segmentation,other\nx.jpg,3,1 1,a\nx.jpg,10,2 1,"b,c"\ny.jpg,3,,d\n',
    ],
)
def test_classes_have_a_column_or_stand_behind_the_image(written, text):
    found = read_annotations(written("t.csv", text))

    assert found.names == ("3", "10")
    assert draw(found.of("x.jpg").shapes, (2, 1), {"3": 1, "10": 2}).tolist() == [[1], [2]]
    assert found.of("y.jpg").shapes == ()


def test_only_the_last_underscore_parts_image_and_class(written):
    found = read_annotations(written("t.csv", "ImageId_ClassId,EncodedPixels\na_b_1.jpg_2,1 1\n"))

    assert (found.names, found.images[0].file) == (("2",), "a_b_1.jpg")


def test_names_that_are_no_numbers_stay_in_their_order(written):
    assert read_annotations(written("t.csv", "Image_Label,EncodedPixels\nx.jpg_Sugar,1 1\nx.jpg_Fish,1 1\n")).names == (
        "Sugar",
        "Fish",
    )


def test_runs_go_down_the_columns_unless_told(written, marks):
    path = written("t.csv", "id,annotation,width,height\nx,2 2,3,2\n")
    down, along = read_annotations(path), read_annotations(path, Reading(run_order="rows"))

    assert down.images[0].size == (2, 3)
    assert "down the columns" in down.notes[0]
    assert along.notes == ()
    assert marks(draw(down.images[0].shapes, (2, 3), {"foreground": 1})) == ["010", "100"]
    assert marks(draw(along.images[0].shapes, (2, 3), {"foreground": 1})) == ["011", "000"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x", "row 3: 1 cells where the heading has 2"),
        ("x,1 a", "row 3: '1 a' are no run lengths"),
        ("x,1 2 3", "row 3: its runs: 3 numbers"),
        ("x,4 9", "row 3: its runs: they reach pixel 12"),
        (",1 1", "row 3: the image is ''"),
        ("x,٣ ٤", "row 3: .* are no run lengths"),
    ],
)
def test_faults_are_told_with_their_row(written, row, message):
    path = written("t.csv", f"id,rle\ny,1 1\n{row}\n")
    with pytest.raises(ReadError, match=message):
        draw(read_annotations(path).images[-1].shapes, (2, 3), {"foreground": 1})


def test_an_image_has_one_size(written):
    with pytest.raises(ReadError, match="row 3: the size"):
        read_annotations(written("t.csv", "id,rle,height,width\nx,1 1,2,3\nx,3 1,2,4\n"))
