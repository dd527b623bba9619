import numpy as np
import pytest

from maskwright.errors import ReadError
from maskwright.files.annotations import Reading, draw, draw_objects, read_annotations

SQUARE = {"label": "cat", "points": [[1, 1], [2.9, 1], [2.9, 2.9], [1, 2.9]], "shape_type": "polygon", "group_id": None}

AS_IT_IS = Reading()


def drawn(path, size=(4, 6), reading=AS_IT_IS):
    found = read_annotations(path, reading)
    return draw(found.images[0].shapes, size, {name: i + 1 for i, name in enumerate(found.names)})


def test_a_polygon_is_drawn_and_the_embedded_picture_passed_over(written, marks, labelme):
    path = written("a.json", labelme(SQUARE, imageData="not even base64"))
    found = read_annotations(path)

    assert (found.format, found.names, found.images[0].size) == ("labelme", ("cat",), (4, 6))
    assert marks(drawn(path)) == ["000000", "011000", "011000", "000000"]


def test_version_3_says_neither_type_nor_size(written, marks, labelme):
    value = labelme({"label": "cat", "points": SQUARE["points"], "line_color": None}, version="3.2.1")
    del value["imageHeight"], value["imageWidth"]
    path = written("a.json", value)

    assert read_annotations(path).images[0].size is None
    assert marks(drawn(path)) == ["000000", "011000", "011000", "000000"]


def test_rectangles_circles_lines_and_points(written, labelme):
    shapes = [
        {"label": "box", "points": [[30, 20], [10, 5]], "shape_type": "rectangle"},
        {"label": "disc", "points": [[50, 20], [50, 30]], "shape_type": "circle"},
        {"label": "line", "points": [[10, 50], [40, 50]], "shape_type": "line"},
        {"label": "strip", "points": [[60, 50], [90, 50], [90, 60]], "shape_type": "linestrip"},
        {"label": "dot", "points": [[80, 20]], "shape_type": "point"},
    ]
    areas = np.bincount(drawn(written("a.json", labelme(*shapes, size=(80, 120))), (80, 120)).ravel())
    disc = np.pi * 25

    np.testing.assert_allclose(areas[1:], [300, 4 * disc, 300 + disc, 400 + disc - 25 + disc / 4, disc], rtol=0.04)


def test_lines_are_as_wide_as_stated(written, labelme):
    path = written("a.json", labelme({"label": "l", "points": [[10, 9], [30, 9]], "shape_type": "line"}))

    assert drawn(path, (20, 40), Reading(line_width=2.0)).sum() < 50 < drawn(path, (20, 40)).sum()


def test_an_embedded_mask_stands_between_its_corners(written, marks, labelme, png_text):
    mask = [[1, 0, 1], [0, 1, 1]]
    shape = {"label": "cat", "points": [[2, 1], [4, 2]], "shape_type": "mask", "mask": png_text(mask)}

    assert marks(drawn(written("a.json", labelme(shape)))) == ["000000", "001010", "000110", "000000"]


def test_an_outline_up_to_the_last_coordinate_reaches_the_border(written, labelme):
    shape = {**SQUARE, "points": [[0, 0], [5, 0], [5, 3], [0, 3]]}
    assert drawn(written("a.json", labelme(shape))).all()
    shape = {"label": "cat", "points": [[0, 0], [5, 3]], "shape_type": "rectangle"}
    assert drawn(written("b.json", labelme(shape))).all()


def test_the_conventional_labels_are_no_classes(written, labelme):
    shapes = [SQUARE, {**SQUARE, "label": "__ignore__"}, {**SQUARE, "label": "_background_"}]
    path = written("a.json", labelme(*shapes[:2]))

    assert read_annotations(path).names == ("cat",)
    assert drawn(path).max() == 255
    assert not drawn(written("b.json", labelme(*shapes))).any()


def test_a_group_is_one_object_and_names_are_in_order_of_appearance(written, labelme):
    other = {**SQUARE, "label": "ant", "points": [[4, 0], [6, 0], [6, 1], [4, 1]]}
    path = written(
        "a.json",
        labelme(
            {**SQUARE, "group_id": 1}, {**SQUARE, "points": [[0, 0], [1, 0], [1, 1], [0, 1]], "group_id": 1}, other
        ),
    )
    found = read_annotations(path)

    assert found.names == ("cat", "ant")
    assert draw_objects(found.images[0].shapes, (4, 6)).max() == 2


def test_a_folder_of_files_is_one_set(written, tmp_path, labelme):
    for name in ("a", "b"):
        written(f"set/{name}.json", labelme(SQUARE, imagePath=f"..\\photos\\{name}.jpg"))
    written("set/other.json", {"something": "else"})
    found = read_annotations(tmp_path / "set")

    assert len(found.images) == 2
    assert found.of("photos/b.jpg").file == "..\\photos\\b.jpg"


def test_a_renamed_pair_is_found_and_noted(written, labelme):
    found = read_annotations(written("new.json", labelme(SQUARE)))

    assert found.of("new.png") is found.of("a.png") is found.images[0]
    assert "new.png" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape_type": "star"}, "shape 0: it is a 'star'"),
        ({"shape_type": "circle"}, "a circle has 2 points, but here are 4"),
        ({"points": [["a", 1]]}, "shape 0: its points"),
        ({"points": []}, "shape 0: "),
        ({"label": ""}, "shape 0: the label is ''"),
        ({"label": "\ud800"}, "half a character"),
        ({"shape_type": "mask", "points": [[1, 1], [2, 2]]}, "'mask' is missing"),
        ({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "äö"}, "no PNG|no base64"),
        ({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "AAAA"}, "shape 0: its mask is a PNG that was cut"),
        ({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "MASK"}, "3×3, its corners say 2×2"),
        ({"shape_type": "mask", "points": [[4, 1], [6, 3]], "mask": "MASK"}, "does not lie inside"),
    ],
)
def test_faults_are_told_with_their_place(written, change, message, labelme, png_text):
    if change.get("mask") == "MASK":
        change = {**change, "mask": png_text(np.ones((3, 3)))}
    with pytest.raises(ReadError, match=message):
        drawn(written("a.json", labelme({**SQUARE, **change})))
