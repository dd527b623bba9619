import json

import pytest

from maskwright.data.class_tables import ClassTable, Row, find, read, voc_palette
from maskwright.errors import DataError

ROAD, CAR = 0x804080, 0x400080


def rows(table: ClassTable | None) -> list[tuple[str, int | None, int | None]]:
    return [(row.name, row.value, row.colour) for row in table.rows] if table else []


COLOURED = [("Road", None, ROAD), ("Small car", None, CAR)]
VALUED = [("road", 0, None), ("car", 2, None)]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("class_dict.csv", "name,r,g,b\nRoad,128,64,128\nSmall car,64,0,128\n", COLOURED),
        ("class_dict.csv", "\ufeffname; r; g; b\r\nRoad; 128; 64; 128\r\nSmall car; 64; 0; 128\r\n", COLOURED),
        ("classes.csv", "Class\tRed\tGreen\tBlue\nRoad\t128\t64\t128\nSmall car\t64\t0\t128\n", COLOURED),
        ("classes.csv", "Road,128,64,128\nSmall car,64,0,128\n", COLOURED),
        ("classes.csv", "name,color\nRoad,#804080\nSmall car,#400080\n", COLOURED),
        ("label_colors.txt", "128 64 128\tRoad\n64 0 128\tSmall car\n", COLOURED),
        ("label_colors.txt", "Road 128 64 128\nSmall car 64 0 128\n", COLOURED),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nRoad:128,64,128::\nSmall car:64,0,128:a,b:\n", COLOURED),
        ("colors.json", json.dumps({"Road": [128, 64, 128], "Small car": "#400080"}), COLOURED),
        ("color_map.json", json.dumps({"128,64,128": "Road", "(64, 0, 128)": "Small car"}), COLOURED),
        ("obj_class_to_machine_color.json", json.dumps({"a": [1, 1, 1]}), [("a", None, 0x010101)]),
        ("classes.json", json.dumps({"classes": [{"title": "Road", "color": "#804080"}]}), [("Road", None, ROAD)]),
        ("classes.json", json.dumps([{"id": 0, "name": "road"}, {"id": 2, "name": "car"}]), VALUED),
        ("classes.json", json.dumps({"0": "road", "2": "car"}), VALUED),
        ("classes.json", json.dumps({"road": 0, "car": 2}), VALUED),
        ("classes.json", json.dumps(["road", "car"]), [("road", None, None), ("car", None, None)]),
        ("_classes.csv", "Pixel Value, Class\n0, road\n2, car\n", VALUED),
        ("classes.txt", "0 road\n2 car\n", VALUED),
        ("classes.txt", "road: 0\ncar: 2\n", VALUED),
        ("classes.txt", "0 128 64 128 road\n2 64 0 128 car\n", [("road", 0, ROAD), ("car", 2, CAR)]),
        ("classes.txt", "class 1\nclass 2\n", [("class 1", None, None), ("class 2", None, None)]),
        ("codes.txt", "Sky\nRoad\n\nVoid\n", [("Sky", None, None), ("Road", None, None), ("Void", None, None)]),
        ("classes.txt", "twice\ntwice\n", []),
        ("classes.txt", "", []),
        ("classes.txt", "x" * 65, []),
        ("classes.json", "{not json", []),
        ("classes.json", "[[1], [2]]", []),
        ("class_dict.csv", "name,r,g,b\nRoad,128,64,128\nCar,128,64,128\n", []),
    ],
)
def test_tables_are_read_by_their_content(name, text, found, tmp_path):
    (tmp_path / name).write_text(text, "utf-8")
    assert rows(read(tmp_path / name)) == found
    assert rows(find(tmp_path)) == found


def test_what_tells_colours_goes_before_what_tells_names_only(tmp_path):
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    (tmp_path / "Label_Colors.TXT").write_text("128 64 128 Road\n64 0 128 Small car\n")
    found = find(tmp_path)
    assert found is not None
    assert found.file == "Label_Colors.TXT"
    assert found.colours == {"Road": ROAD, "Small car": CAR}
    assert found.values is None


def test_roboflow_puts_its_table_into_each_part(tmp_path):
    assert find(tmp_path) is None
    (tmp_path / "train").mkdir()
    (tmp_path / "train/_classes.csv").write_text("Pixel Value,Class\n0,background\n1,crack\n")
    found = find(tmp_path)
    assert found is not None
    assert found.values == {"background": 0, "crack": 1}


def test_a_class_table_that_is_no_text_is_told(tmp_path):
    (tmp_path / "class_dict.csv").write_bytes("name,r,g,b\nforêt,1,2,3\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8 text"):
        find(tmp_path)


def test_a_table_of_which_only_some_rows_have_a_value_has_none():
    table = ClassTable("t", (Row("a", 1), Row("b")))
    assert table.values is None
    assert table.names == ["a", "b"]


def test_the_voc_palette_is_the_published_one():
    """The first colours and the last as every list of the data set gives them."""
    palette = voc_palette()
    assert [f"{c:06x}" for c in palette[:9]] == [
        "000000", "800000", "008000", "808000", "000080", "800080", "008080", "808080", "400000",
    ]  # fmt: skip
    assert (f"{palette[20]:06x}", f"{palette[255]:06x}") == ("004080", "e0e0c0")
    assert len(set(palette)) == 256
