import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from shapely.geometry import Polygon, shape

from maskwright.files import FilePlane, MemoryPlane
from maskwright.files.runlengths import encode_runs
from maskwright.regions.outlines import column_runs, outlines, simplified

PICTURES = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))


def of(values, leave_out=(), **options):
    return outlines(MemoryPlane(values), leave_out, **options)


def polygons(found):
    return [Polygon(outline.rings[0], outline.rings[1:]) for outline in found]


def drawn(found, size):
    """The values back, -1 where there is no outline: by GDAL."""
    shapes = [(polygon, outline.value) for polygon, outline in zip(polygons(found), found, strict=True)]
    if not shapes:
        return np.full(size, -1)
    return rasterio.features.rasterize(shapes, out_shape=size, fill=-1, dtype="int32")


def plain(found):
    return [(outline.value, [ring.tolist() for ring in outline.rings]) for outline in found]


@settings(max_examples=60, deadline=None)
@given(PICTURES, st.sets(st.integers(0, 3), max_size=2), st.integers(1, 9))
def test_outlines_drawn_back_give_the_picture_and_are_valid_polygons(values, leave_out, rows):
    found = of(values, leave_out)

    assert all(polygon.is_valid for polygon in polygons(found))
    np.testing.assert_array_equal(
        drawn(found, values.shape), np.where(np.isin(values, list(leave_out)), -1, values.astype(int))
    )
    for outline, polygon in zip(found, polygons(found), strict=True):
        assert outline.area == polygon.area
        assert outline.box == (polygon.bounds[1], polygon.bounds[0], polygon.bounds[3], polygon.bounds[2])
        assert polygon.exterior.is_ccw  # x to the right, y down: clockwise as it is seen
        assert not any(hole.is_ccw for hole in polygon.interiors)
    assert plain(of(values, leave_out, rows=rows)) == plain(found)
    assert plain(of(values.astype(np.int32) - 2, {value - 2 for value in leave_out})) == [
        (value - 2, rings) for value, rings in plain(found)
    ]


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_a_piece_hangs_together_by_its_sides(values):
    """As many pieces as scipy counts, and the same polygons that GDAL traces."""
    found = of(values)
    counts = {value: ndimage.label(values == value)[1] for value in np.unique(values).tolist()}

    assert {value: sum(o.value == value for o in found) for value in counts} == counts
    theirs = {(shape(geometry).normalize().wkt, value) for geometry, value in rasterio.features.shapes(values)}
    ours = {(polygon.normalize().wkt, outline.value) for polygon, outline in zip(polygons(found), found, strict=True)}
    simple = {(shapely.from_wkt(wkt).simplify(0).normalize().area, value) for wkt, value in ours}
    assert simple == {(shapely.from_wkt(wkt).area, value) for wkt, value in theirs}


@settings(max_examples=40, deadline=None)
@given(PICTURES)
def test_runs_of_outlines_are_those_of_the_mask(values):
    for value in np.unique(values).tolist():
        rings = [ring for outline in of(values) if outline.value == value for ring in outline.rings]
        starts, lengths = column_runs(rings, values.shape[0])
        text = " ".join(map(str, np.column_stack([starts + 1, lengths]).ravel().tolist()))
        assert text == encode_runs(values == value)


def test_straight_lines_have_no_corners_on_them():
    (outline,) = of(np.pad(np.ones((5, 7), np.uint8), 1), {0})

    assert outline.rings[0].tolist() == [[1, 1], [8, 1], [8, 6], [1, 6]]


def test_a_ring_that_would_touch_itself_is_parted():
    """A hole that meets the outside in a corner, and two holes that meet."""
    values = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 1]], np.uint8)
    (outline,) = of(values, {0})

    assert len(outline.rings) == 3
    assert polygons([outline])[0].is_valid
    (ring,) = of(np.array([[1, 1], [1, 0]], np.uint8), {0})
    assert len(ring.rings) == 1


def test_holes_go_to_the_piece_around_them():
    """Rings in rings, each with its own hole, and holes beside each other."""
    values = np.zeros((15, 25), np.uint8)
    values[1:14, 1:14], values[2:13, 2:13], values[4:11, 4:11], values[6:9, 6:9] = 1, 0, 1, 0
    values[1:14, 15:24] = 1
    values[3:5, 17:19] = values[3:9, 20:22] = values[10:12, 16:23] = 0

    found = of(values, {0})

    assert [len(outline.rings) for outline in found] == [2, 4, 2]
    np.testing.assert_array_equal(drawn(found, values.shape), np.where(values, 1, -1))


def test_pieces_come_in_the_order_of_their_first_pixel():
    values = np.array([[0, 0, 3], [2, 0, 3], [2, 0, 1]], np.uint8)

    assert [outline.value for outline in of(values, {0})] == [3, 2, 1]


def test_an_empty_plane_has_none_and_one_pixel_has_one():
    assert of(np.zeros((4, 5), np.uint8), {0}) == []
    assert plain(of(np.full((1, 1), 255, np.uint8))) == [(255, [[[0, 0], [1, 0], [1, 1], [0, 1]]])]
    assert plain(of(np.array([[True]]))) == [(1, [[[0, 0], [1, 0], [1, 1], [0, 1]]])]


def test_numbers_of_32_bits_from_a_plane_on_disk(tmp_path):
    values = np.repeat(np.repeat(np.arange(12, dtype=np.int32).reshape(3, 4) * 10**8, 30, 0), 20, 1)
    with FilePlane.create(tmp_path / "ids", values.shape, "int32") as plane:
        plane.write(slice(0, 90), slice(0, 80), values)

        found = outlines(plane, {0}, rows=7)

    assert [outline.value for outline in found] == [n * 10**8 for n in range(1, 12)]
    assert all(outline.area == 600 for outline in found)


def test_memory_grows_with_the_outline_not_with_the_picture():
    """A plane that is made up as it is read; only some rows of it exist at a time."""

    class Made:
        shape, dtype = (4_000, 3_000), np.dtype(np.uint8)
        most = 0

        def read(self, rows, columns):
            self.most = max(self.most, rows.stop - rows.start)
            y = np.arange(rows.start, rows.stop)[:, None]
            return np.broadcast_to(((y >= 1_000) & (y < 3_900)).astype(np.uint8), (len(y), 3_000)).copy()

    plane = Made()
    (outline,) = outlines(plane, {0})

    assert outline.rings[0].tolist() == [[0, 1_000], [3_000, 1_000], [3_000, 3_900], [0, 3_900]]
    assert plane.most * 3_000 <= 2**22


def test_simplified_outlines_have_fewer_corners_and_stay_near():
    y, x = np.ogrid[:80, :80]
    (disc,) = of(((y - 40) ** 2 + (x - 40) ** 2 < 900).astype(np.uint8), {0})

    (ring,) = simplified(disc, 1.0)

    assert len(ring) < len(disc.rings[0]) / 2
    assert Polygon(ring).symmetric_difference(Polygon(disc.rings[0])).area < 0.05 * disc.area
    assert Polygon(ring).hausdorff_distance(Polygon(disc.rings[0])) <= 1.5


@pytest.mark.parametrize("tolerance", [0.5, 50])
def test_what_would_vanish_stays_as_it_is_and_holes_go(tolerance):
    values = np.ones((5, 5), np.uint8)
    values[2, 2] = 0
    (outline,) = of(values, {0})

    rings = simplified(outline, tolerance)

    assert len(rings[0]) >= 3
    assert len(rings) == (2 if tolerance < 1 else 1)
