import pytest

from maskwright.errors import ReadError
from maskwright.files.annotations import Reading, draw, read_annotations

RING = [[1, 1], [5, 1], [5, 4], [1, 4], [1, 1]]
HOLE = [[2, 2], [2, 3], [4, 3], [4, 2], [2, 2]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}

AS_IT_IS = Reading()


def drawn(path, reading=AS_IT_IS, size=(4, 6)):
    found = read_annotations(path, reading)
    return draw(found.images[0].shapes, size, {name: i + 1 for i, name in enumerate(found.names)})


def test_polygons_have_holes_and_parts_and_heights_are_passed_over(written, marks, geojson):
    parts = {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [[[0, 0, 7], [1, 0, 7], [1, 1, 7], [0, 1, 7]]]]}

    assert marks(drawn(written("a.geojson", geojson((parts, {}))))) == ["100000", "011110", "010010", "011110"]


def test_qupath_writes_pixels_a_list_and_a_classification(written, geojson):
    tumour = {"objectType": "annotation", "name": "first", "classification": {"name": "Tumor", "color": [200, 0, 0]}}
    value = geojson((POLYGON, tumour), (POLYGON, {"objectType": "annotation"}))
    for content in (value, value["features"]):
        found = read_annotations(written("slide.ome.tif.geojson", content))
        assert found.names == ("Tumor",)
        assert len(found.images[0].shapes) == 1
        assert "1 features" in found.notes[0]
        assert found.of("slides/slide.ome.tif") is found.images[0]


def test_map_coordinates_go_to_pixels_by_the_georeference(written, marks, geojson):
    # Pixels of half a metre; the map's y points up, the picture's down.
    reading = Reading(pixel_to_map=(0.5, 0, 1000, 0, -0.5, 2000))
    ring = [[1000.5, 1999.5], [1002.5, 1999.5], [1002.5, 1998], [1000.5, 1998]]
    crs = {"type": "name", "properties": {"name": "EPSG:25832"}}
    path = written("a.geojson", geojson(({"type": "Polygon", "coordinates": [ring]}, {}), crs=crs))

    assert marks(drawn(path, reading)) == ["000000", "011110", "011110", "011110"]
    assert read_annotations(path, reading).crs == "EPSG:25832"
    with pytest.raises(ReadError, match=r"EPSG:25832.*no georeference"):
        read_annotations(path)


def test_a_turned_georeference_is_undone(written, marks, geojson):
    reading = Reading(pixel_to_map=(0, -2, 50, 3, 0, 70))  # x = 50 - 2·row, y = 70 + 3·column
    corners = [[50 - 2 * y, 70 + 3 * x] for x, y in RING]

    path = written("a.geojson", geojson(({"type": "Polygon", "coordinates": [corners]}, {})))
    assert marks(drawn(path, reading)) == ["000000", "011110", "011110", "011110"]


def test_the_class_is_the_property_that_looks_like_it_or_is_asked_for(written, geojson):
    one = written("a.geojson", geojson((POLYGON, {"fid": 1, "Label": "roof"}), (POLYGON, {"fid": 2, "Label": 7})))
    assert read_annotations(one).names == ("roof", "7")
    assert "Label" in read_annotations(one).notes[0]

    two = written("b.geojson", geojson((POLYGON, {"name": "x", "type": "roof"})))
    with pytest.raises(ReadError, match=r"name, type could all be the class.*class_property"):
        read_annotations(two)
    assert read_annotations(two, Reading(class_property="type")).names == ("roof",)
    with pytest.raises(ReadError, match=r"no feature has the property 'kind'. There are: name, type"):
        read_annotations(two, Reading(class_property="kind"))


def test_without_such_a_property_all_is_foreground(written, geojson):
    found = read_annotations(written("a.geojson", geojson((POLYGON, {"fid": 1}))))

    assert found.names == ("foreground",)
    assert "foreground" in found.notes[0]


def test_lines_points_and_collections(written, geojson):
    line = {"type": "LineString", "coordinates": [[0, 2], [6, 2]]}
    point = {"type": "Point", "coordinates": [1, 1]}
    both = {"type": "GeometryCollection", "geometries": [point, line]}
    found = read_annotations(written("a.geojson", geojson((point, {}), (None, {}), (both, {}))), Reading(line_width=2))

    assert [shape.kind for shape in found.images[0].shapes] == ["line"]
    assert drawn(written("b.geojson", geojson((line, {}))), Reading(line_width=2)).sum() == 12
    assert any("2 features" in note for note in found.notes)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "Circle"}, "feature 0: 'Circle' is no geometry"),
        ({"type": "Polygon"}, "'coordinates' is missing"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}, "2 points where at least 3"),
        ({"type": "Polygon", "coordinates": [[1, 2]]}, "feature 0"),
        ({"type": "Polygon", "coordinates": 5}, "feature 0: rings is 5"),
        ([], "feature 0: the geometry is"),
    ],
)
def test_faults_are_told_with_their_place(written, geometry, message, geojson):
    with pytest.raises(ReadError, match=message):
        read_annotations(written("a.geojson", geojson((geometry, {}))))


def test_a_useless_georeference_is_told(written, geojson):
    path = written("a.geojson", geojson((POLYGON, {})))
    for affine, message in (((0, 0, 0, 0, 0, 0), "leads nowhere"), ((1e-9, 0, 5, 0, 1e-9, 5), "nowhere near")):
        with pytest.raises(ReadError, match=message):
            read_annotations(path, Reading(pixel_to_map=affine))
