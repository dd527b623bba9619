import numpy as np
import pytest

from maskwright.errors import ReadError
from maskwright.files.annotations import Reading, draw, draw_objects, read_annotations

POLYGON = "<polygon label='cat' points='1.0,1.0;3.0,1.0;3.0,3.0;1.0,3.0' z_order='{z}'/>"
BOX = "<box label='dog' xtl='2' ytl='2' xbr='5' ybr='4' z_order='{z}'><attribute name='x'>y</attribute></box>"

AS_IT_IS = Reading()


def drawn(path, size=(4, 6), reading=AS_IT_IS):
    found = read_annotations(path, reading)
    return draw(found.images[0].shapes, size, {name: i + 1 for i, name in enumerate(found.names)})


def test_higher_shapes_lie_over_lower_ones_and_then_later_over_earlier(written, marks, cvat):
    over = written("a.xml", cvat(POLYGON.format(z=1), BOX.format(z=0)))
    alike = written("b.xml", cvat(POLYGON.format(z=0), BOX.format(z=0)))

    assert marks(drawn(over)) == ["000000", "011000", "011220", "002220"]
    assert marks(drawn(alike)) == ["000000", "011000", "012220", "002220"]


def test_classes_are_in_the_order_of_the_task(written, cvat):
    found = read_annotations(written("a.xml", cvat(BOX.format(z=0), labels=("cat", "dog", "eel"))))

    assert (found.format, found.names, found.images[0].size) == ("cvat", ("cat", "dog", "eel"), (4, 6))
    assert found.of("photos/a.png") is found.images[0]


def test_jobs_and_projects_name_their_classes_too(written, cvat):
    for level in ("job", "project"):
        text = cvat(BOX.format(z=0)).replace("task>", f"{level}>")
        assert read_annotations(written(f"{level}.xml", text)).names == ("cat", "dog")


def test_a_mask_runs_along_the_rows_of_its_box(written, marks, cvat):
    mask = "<mask label='cat' rle='1, 2, 2, 1' left='2' top='1' width='3' height='2' z_order='0'/>"

    assert marks(drawn(written("a.xml", cvat(mask)))) == ["000000", "000110", "000010", "000000"]


def test_boxes_and_ellipses_turn_clockwise(written, cvat):
    box = "<box label='cat' xtl='40' ytl='48' xbr='80' ybr='52' rotation='30'/>"
    ellipse = "<ellipse label='dog' cx='60' cy='20' rx='20' ry='2' rotation='30'/>"
    picture = drawn(written("a.xml", cvat(box, ellipse, size=(100, 120))), (100, 120))

    # The right end goes down, as y does.
    assert picture[58, 75] == 1
    assert picture[42, 45] == 1
    assert picture[28, 74] == 2
    assert (picture == 1).sum() == pytest.approx(160, rel=0.1)
    assert (picture == 2).sum() == pytest.approx(np.pi * 40, rel=0.1)


def test_polylines_have_the_stated_width_and_points_are_counted(written, cvat):
    line = "<polyline label='cat' points='2,5.5;30,5.5'/>"
    points = "<points label='dog' points='1,1;2,2'/><tag label='cat'/>"
    path = written("a.xml", cvat(line, points))

    assert (drawn(path, (10, 40)) > 0).sum() == 30  # columns 1 to 30: the ends are round
    assert (drawn(path, (10, 40), Reading(line_width=4)) > 0).sum() == pytest.approx(28 * 5 + 18, abs=12)
    notes = " ".join(read_annotations(path).notes)
    assert "1 of points" in notes
    assert "1 of tag" in notes
    assert "1 pixel wide" in notes
    assert "wide" not in " ".join(read_annotations(path, Reading(line_width=4)).notes)


def test_a_group_is_one_object_and_none_is_none(written, cvat):
    boxes = [
        f"<box label='dog' xtl='{x}' ytl='0' xbr='{x + 1}' ybr='1' group_id='{g}'/>" for x, g in enumerate([0, 0, 5, 5])
    ]
    found = read_annotations(written("a.xml", cvat(*boxes)))

    assert draw_objects(found.images[0].shapes, (1, 4)).tolist() == [[1, 2, 3, 3]]


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ("<polygon label='cat' points='1,2;3'/>", "image sub/a.png, shape 0: its points"),
        ("<polygon label='cat'/>", "'points' is missing"),
        ("<polygon points='1,2;3,4'/>", "the label is None"),
        ("<box label='cat' xtl='1' ytl='x' xbr='5' ybr='4'/>", "ytl is 'x'"),
        ("<box label='cat' xtl='1' ytl='nan' xbr='5' ybr='4'/>", "ytl is 'nan'"),
        ("<mask label='cat' rle='1,-2' left='0' top='0' width='3' height='2'/>", "no whole numbers"),
        ("<mask label='cat' rle='1,9' left='0' top='0' width='3' height='2'/>", "10 pixels, but 2×3"),
        ("<mask label='cat' rle='1' left='4' top='0' width='3' height='2'/>", "does not lie inside"),
        ("<polygon label='cat' points='1,2;", "broken XML"),
        ("</image><track/><image name='b.png'>", "XML for video"),
    ],
)
def test_faults_are_told_with_their_place(written, element, message, cvat):
    with pytest.raises(ReadError, match=message):
        drawn(written("a.xml", cvat(element)))
