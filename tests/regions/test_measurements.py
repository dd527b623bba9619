"""Measurements are those of scikit-image, whatever the bands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import draw, measure

from maskwright.errors import SettingError
from maskwright.files import ArrayScene, Georeference, MemoryPlane
from maskwright.regions import components, measured, measurements

THEIRS = {
    "area": "area", "perimeter": "perimeter", "centroid_row": "centroid-0", "centroid_column": "centroid-1",
    "top": "bbox-0", "left": "bbox-1", "bottom": "bbox-2", "right": "bbox-3", "major_axis": "axis_major_length",
    "minor_axis": "axis_minor_length", "orientation": "orientation", "eccentricity": "eccentricity",
    "solidity": "solidity", "equivalent_diameter": "equivalent_diameter_area",
}  # fmt: skip
KINDS = sorted({name.split("-")[0] for name in THEIRS.values()})


def blobs(seed, shape=(60, 50), count=9):
    """Ellipses that lie about, of two classes, and some noise."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(shape) < 0.02).astype(np.uint8)
    for _ in range(count):
        middle, radii = rng.integers(0, shape), rng.uniform(1, 9, 2)
        places = draw.ellipse(*middle, *radii, shape=shape, rotation=rng.uniform(0, 3))
        labels[places] = rng.integers(1, 3)
    return labels


def scikit_image(ids, image):
    wanted = (*KINDS, "intensity_mean", "intensity_min", "intensity_max")
    return measure.regionprops_table(ids, image, properties=wanted)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 9999),
    rows=st.sampled_from([1, 2, 3, 7, 100]),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
def test_they_are_those_of_scikit_image(seed, rows, dtype):
    labels = blobs(seed)
    objects = components(MemoryPlane(labels), classes=(1, 2))
    image = (np.random.default_rng(seed).random((*labels.shape, 2)) * 250).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "ROWS", rows)
        columns = measured(objects, ArrayScene(image), ("ground", "cell", "nucleus")).columns

    expected = scikit_image(objects.ids.read(slice(0, 60), slice(0, 50)), image)
    for ours, theirs in THEIRS.items():
        if ours == "orientation":  # of an ellipse: half a turn is none; of a circle: none at all
            turned = (columns[ours] - expected[theirs]) * (columns["major_axis"] - columns["minor_axis"] > 1e-6)
            np.testing.assert_allclose(np.sin(turned), 0, atol=1e-6)
            assert np.all(np.abs(columns[ours]) <= np.pi / 2 + 1e-9)
        else:
            tolerance = {"atol": 2e-6} if "axis" in ours or ours == "eccentricity" else {}
            np.testing.assert_allclose(columns[ours], expected[theirs], rtol=1e-6, **tolerance, err_msg=ours)
    for kind in ("mean", "min", "max"):
        for channel in (0, 1):
            ours = columns[f"{kind}_{channel}"]
            np.testing.assert_allclose(ours, expected[f"intensity_{kind}-{channel}"], rtol=1e-6)
    names = np.array(["ground", "cell", "nucleus"])[objects.labels]
    assert columns["class"].tolist() == names.tolist()
    assert columns["number"].tolist() == list(range(1, len(names) + 1))


def square(size=6):
    labels = np.zeros((10, 12), np.uint8)
    labels[2 : 2 + size, 3:7] = 1
    return components(MemoryPlane(labels), classes=(1,))


def test_a_rectangle_is_worked_out_by_hand():
    light = np.zeros((10, 12), np.uint8)
    light[2, 3] = 48
    columns = measured(square(), ArrayScene(light), ("ground", "cell")).columns

    assert {name: column[0] for name, column in columns.items()} == pytest.approx(
        {
            "number": 1, "class": "cell", "area": 24, "perimeter": 16.0,  # through the middles: 2 · (5 + 3)
            "centroid_row": 4.5, "centroid_column": 4.5, "top": 2, "left": 3, "bottom": 8, "right": 7,
            "major_axis": 4 * np.sqrt(35 / 12), "minor_axis": 4 * np.sqrt(15 / 12), "orientation": 0.0,
            "eccentricity": np.sqrt(1 - 15 / 35), "solidity": 1.0, "equivalent_diameter": np.sqrt(96 / np.pi),
            "mean": 2.0, "min": 0, "max": 48,
        }
    )  # fmt: skip


def test_physical_units_follow_where_the_file_has_them():
    place = Georeference((0.5, 0.0, 100.0, 0.0, -0.5, 20.0), "", "micrometer")
    columns = measured(square(), ArrayScene(np.zeros((10, 12)), None, place), ("ground", "cell")).columns

    assert columns["area_um2"] == pytest.approx(24 / 4)
    assert columns["perimeter_um"] == pytest.approx(8)
    assert columns["major_axis_um"] == pytest.approx(columns["major_axis"] / 2)
    assert columns["minor_axis_um"] == pytest.approx(columns["minor_axis"] / 2)
    assert columns["equivalent_diameter_um"] == pytest.approx(columns["equivalent_diameter"] / 2)
    # The middle of a pixel is half a pixel from its corner, where the map starts.
    assert (columns["centroid_x"], columns["centroid_y"]) == (pytest.approx(102.5), pytest.approx(17.5))


def test_pixels_that_are_not_square_have_axes_but_no_perimeter_in_units():
    place = Georeference((3.0, 0.0, 0.0, 0.0, 1.0, 0.0), "", "mm")
    columns = measured(square(), ArrayScene(np.zeros((10, 12)), None, place), ("ground", "cell")).columns

    assert columns["area_mm2"] == pytest.approx(72)
    assert columns["major_axis_mm"] == pytest.approx(3 * columns["minor_axis"])  # 4 · 3 mm wide, 6 mm high
    assert columns["minor_axis_mm"] == pytest.approx(columns["major_axis"])
    assert "perimeter_mm" not in columns


def test_a_map_without_a_unit_of_length_gives_places_only():
    place = Georeference((1e-4, 0.0, 9.0, 0.0, -1e-4, 48.0), "EPSG:4326", "degree")
    table = measured(square(), ArrayScene(np.zeros((10, 12)), None, place), ("ground", "cell"))

    assert [name for name in table.columns if "degree" in name or name.startswith("area")] == ["area"]
    assert table.columns["centroid_y"] == pytest.approx(48 - 5e-4)


def test_a_ring_is_half_as_solid_as_its_hull():
    ring = np.ones((5, 5), np.uint8)
    ring[1:4, 1:4] = 0
    columns = measured(components(MemoryPlane(ring), classes=(1,)), ArrayScene(ring), ("a", "b")).columns

    assert columns["solidity"] == 16 / 25
    assert columns["perimeter"] == 16


def test_no_object_makes_a_table_without_rows():
    table = measured(components(MemoryPlane(np.zeros((4, 4), np.uint8)), classes=(1,)),
                     ArrayScene(np.zeros((4, 4, 3))), ("a", "b"), channels=("red", "green", "blue"))  # fmt: skip

    assert len(table) == 0
    assert list(table.rows()) == []
    assert {"mean_red", "min_green", "max_blue", "solidity"} <= set(table.columns)


def test_rows_are_plain_values():
    table = measured(square(), ArrayScene(np.zeros((10, 12), np.uint16)), ("ground", "cell"))

    (row,) = table.rows()
    assert row[:3] == (1, "cell", 24)
    assert {type(value) for value in row} == {int, str, float}
    assert len(table) == 1


def test_an_image_of_another_size_is_refused():
    with pytest.raises(SettingError, match="picture of 10×12, the image has 12×10"):
        measured(square(), ArrayScene(np.zeros((12, 10))), ("a", "b"))
    with pytest.raises(SettingError, match="1 channels, but 2 names"):
        measured(square(), ArrayScene(np.zeros((10, 12))), ("a", "b"), channels=("red", "green"))
