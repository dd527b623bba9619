import numpy as np
import pytest
import shapely

from maskwright.errors import ReadError
from maskwright.files.annotations.geometry import Ellipse, Lines, Polygons, Runs, StartedRuns

SIZE = (30, 40)
ROWS, COLUMNS = np.indices(SIZE) + 0.5


def picture(geometry, size=SIZE):
    mask = np.zeros(size, bool)
    if (stamp := geometry.stamp(size)) is not None:
        mask[stamp[0]] = stamp[1]
    return mask


def test_parts_are_put_together_and_holes_belong_to_their_part():
    square = np.array([[2, 2], [12, 2], [12, 12], [2, 12]], float)
    parts = Polygons(((square, square / 2 + 3.5), (square + 5,)))
    mask = picture(parts)

    assert not mask[5, 5]
    assert mask[10, 10]  # in both: together, not even-odd
    assert mask.sum() == 75 + 100 - (25 - 4)  # where they overlap, four pixels are of the hole
    assert parts.area() == 175


def test_shares_are_of_width_and_height():
    half = Polygons(((np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]]),),), shares=True)

    np.testing.assert_array_equal(picture(half), COLUMNS < 20)


@pytest.mark.parametrize("turn", [0, 30, 90, -200])
def test_an_ellipse_is_what_lies_within_its_radii(turn):
    ellipse = Ellipse((21.3, 14.2), (12.4, 5.6), turn)
    unit = shapely.Point(0, 0).buffer(1, quad_segs=4000)
    stretched = shapely.affinity.scale(unit, 12.4, 5.6)
    # y points down in a picture, so what shapely turns against the clock goes with it.
    theirs = shapely.affinity.translate(shapely.affinity.rotate(stretched, turn, (0, 0)), 21.3, 14.2)

    np.testing.assert_array_equal(picture(ellipse), shapely.contains_xy(theirs, COLUMNS, ROWS))
    assert ellipse.area() == pytest.approx(theirs.area, rel=1e-5)


def test_a_strip_is_what_lies_within_half_its_width_of_the_line():
    points = np.array([[3.2, 4.1], [30.5, 9.7], [12.1, 25.3], [12.1, 25.3], [50.0, 25.0]])
    theirs = shapely.LineString(points).buffer(2.55, quad_segs=4000)

    np.testing.assert_array_equal(picture(Lines((points,), 5.1)), shapely.contains_xy(theirs, COLUMNS, ROWS))


def test_a_line_one_pixel_wide_has_no_gaps():
    mask = picture(Lines((np.array([[0.3, 0.2], [39.1, 28.7]]),), 1.0))

    assert mask.any(axis=1)[:29].all()


def test_runs_count_along_rows_or_columns_from_their_corner(marks):
    counts = np.array([1, 2, 1, 1])

    along = picture(Runs(counts, (2, 3), (1, 2), by_columns=False), (4, 6)).astype(int)
    assert marks(along) == ["000000", "000110", "000100", "000000"]
    down = picture(Runs(counts, (2, 3), (1, 2)), (4, 6)).astype(int)
    assert marks(down) == ["000000", "000110", "001000", "000000"]


def test_contest_runs_count_along_rows_or_columns(marks):
    assert marks(picture(StartedRuns("2 2"), (2, 3)).astype(int)) == ["010", "100"]
    assert marks(picture(StartedRuns("2 2", by_columns=False), (2, 3)).astype(int)) == ["011", "000"]
    assert StartedRuns("2 2 9 5").area() == 7


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        (Runs(np.array([1]), (3, 3)), "3×3, the image 30×40"),
        (Runs(np.array([1]), (3, 3), (28, 0)), "does not lie inside"),
        (Runs(np.array([5, 5]), (3, 3), (0, 0)), "10 pixels, but 3×3 are 9"),
        (Runs(np.full(9, 2**62), (3, 3), (0, 0)), "pixels, but 3×3 are 9"),
        (StartedRuns("1199 3"), "reach pixel 1201"),
    ],
)
def test_what_cannot_be_of_this_picture_is_told(geometry, message):
    with pytest.raises(ReadError, match=message):
        geometry.stamp(SIZE)


@pytest.mark.parametrize(
    "geometry", [Ellipse((5, 5), (0, 3)), Ellipse((99, 99), (3, 3)), Lines((np.full((2, 2), 99.0),), 2)]
)
def test_what_is_outside_or_has_no_area_marks_nothing(geometry):
    assert not picture(geometry).any()
