import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from maskwright.files.annotations import filling
from maskwright.files.annotations.filling import enclosed, filled

SIZE = (9, 11)
# Quarters: corners and edges often go through centres.
COORDINATES = st.integers(-12, 60).map(lambda n: n / 4)
RINGS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=1, max_size=9).map(np.array)


def picture(rings, size=SIZE):
    mask = np.zeros(size, bool)
    if (stamp := filled(rings, size)) is not None:
        box, inside = stamp
        mask[box] = inside
    return mask


def by_hand(rings, size=SIZE):
    """Pixel by pixel: how many edges are met on the way from the left to the centre. An edge has its upper end."""
    mask = np.zeros(size, bool)
    for row in range(size[0]):
        for column in range(size[1]):
            met = 0
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                    if y0 > y1:
                        x0, y0, x1, y1 = x1, y1, x0, y0
                    if y0 <= row + 0.5 < y1:
                        met += x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0) <= column + 0.5
            mask[row, column] = met % 2
    return mask


@given(st.lists(RINGS, min_size=1, max_size=3))
def test_filling_agrees_with_counting_edges_at_every_pixel(rings):
    np.testing.assert_array_equal(picture(rings), by_hand(rings))


@given(st.integers(0, 10**6))
def test_filling_agrees_with_others_where_no_centre_lies_on_an_edge(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 8))
    ring = np.array([6, 5]) + rng.uniform(1, 8, (8, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    rows, columns = np.indices(SIZE) + 0.5

    theirs = shapely.contains_xy(shapely.make_valid(shapely.Polygon(ring)), columns, rows)
    np.testing.assert_array_equal(picture([ring]), theirs)
    np.testing.assert_array_equal(picture([ring]), polygon2mask(SIZE, ring[:, ::-1] - 0.5))
    assert enclosed(ring) == pytest.approx(shapely.Polygon(ring).area)


def test_a_pixel_belongs_when_its_centre_is_inside(marks):
    square = np.array([[1, 1], [4, 1], [4, 3], [1, 3]], float)

    assert marks(picture([square], (4, 6)).astype(int)) == ["000000", "011100", "011100", "000000"]
    assert not picture([square * 0.1], (4, 6)).any()


def test_a_ring_in_a_ring_is_a_hole(marks):
    outer, inner = np.array([[0, 0], [5, 0], [5, 5], [0, 5]], float), np.array([[1, 1], [1, 4], [4, 4], [4, 1]], float)

    assert marks(picture([outer, inner], (5, 5)).astype(int)) == ["11111", "10001", "10001", "10001", "11111"]


@given(st.tuples(COORDINATES, COORDINATES))
def test_neighbours_share_every_pixel_out_even_where_their_border_goes_through_centres(middle):
    corners = np.array([[-9, -9], [40, -9], [40, 40], [-9, 40]], float)
    parts = [picture([np.array([corners[i], corners[(i + 1) % 4], middle])]) for i in range(4)]

    np.testing.assert_array_equal(np.sum(parts, axis=0), np.ones(SIZE))


def test_a_mad_outline_is_filled_in_portions(monkeypatch):
    ring = np.random.default_rng(0).uniform(-3, 12, (200, 2))
    whole = picture([ring])
    monkeypatch.setattr(filling, "AT_ONCE", 50)

    np.testing.assert_array_equal(picture([ring]), whole)


def test_what_lies_outside_or_has_no_height_fills_nothing():
    assert filled([np.array([[50, 50], [60, 50], [60, 60]], float)], SIZE) is None
    assert not picture([np.array([[1, 2.5], [5, 2.5], [9, 2.5]])]).any()
    assert picture([np.array([[-1e9, -1e9], [1e9, -1e9], [1e9, 1e9], [-1e9, 1e9]])]).all()
