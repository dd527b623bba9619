import os

import pytest

from maskwright.errors import DataError, ReadError
from maskwright.files.annotations import Annotations, annotation_format, formats, read_annotations, reading
from maskwright.files.annotations.record import AnnotatedImage

SQUARE = {"label": "cat", "points": [[1, 1], [3, 1], [3, 3], [1, 3]], "shape_type": "polygon"}


def test_the_content_tells_the_format_whatever_the_name(written, coco, labelme, cvat, label_studio, geojson):
    polygon = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]}
    for name, content in {
        "coco": coco([]),
        "labelme": labelme(),
        "cvat": cvat(),
        "label-studio": label_studio(),
        "geojson": geojson((polygon, {})),
        "run-table": "id,rle\na,\n",
    }.items():
        assert annotation_format(written("x.dat", content)) == name
    assert annotation_format(written("labels/a.txt", "")) == "yolo"
    assert set(formats) >= {"coco", "labelme", "cvat", "label-studio", "geojson", "run-table", "yolo"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", {"name": "package"}),
        ("x.json", []),
        ("x.xml", "<annotation><object/></annotation>"),
        ("x.txt", "hello"),
        ("x.csv", "a,b\n1,2\n"),
        ("x.yaml", "classes: {a: 0}"),
        ("x.png", b"\x89PNG\0"),
        ("x.csv", b"\xff\xfe\x00,a"),
    ],
)
def test_other_files_are_none(written, name, content):
    path = written(name, content)

    assert annotation_format(path) is None
    with pytest.raises(ReadError, match="no annotation file of a kind we know"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", '{"images": [\n1,', "line 2, column 3: broken JSON"),
        ("x.json", "[" * 100_000, "broken JSON"),
        ("x.json", '{"a": ' + "9" * 9999 + "}", "broken JSON"),
        ("x.xml", "<a>\n<b></a>", "line 2, column 6: broken XML"),
        ("x.xml", "<a>" * 200, "elements in each other"),
        ("x.xml", "<?xml version='1.0' encoding='klingon'?><a/>", "broken XML"),
        ("x.xml", '<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>', "line 1: it declares an entity"),
        (
            "x.xml",
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;</annotations>',
            "declares an entity",
        ),
        ("x.xml", '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://x/y">%b;]><annotations/>', "declares an entity"),
    ],
)
def test_broken_files_are_told_with_their_place(written, name, content, message):
    with pytest.raises(ReadError, match=message):
        read_annotations(written(name, content))


def test_json_of_windows_is_read(written):
    text = '{"images": [], "annotations": [], "categories": []}'
    for encoding in ("utf-8-sig", "utf-16"):
        assert read_annotations(written("x.json", text.encode(encoding))).format == "coco"


def test_missing_files_and_folders_without_annotations_are_told(tmp_path):
    with pytest.raises(ReadError, match="does not exist"):
        read_annotations(tmp_path / "x.json")
    with pytest.raises(ReadError, match="no annotation files"):
        read_annotations(tmp_path)


def test_a_folder_holds_one_format(written, tmp_path, coco, labelme):
    written("a.json", coco([]))
    written("b.json", labelme())
    with pytest.raises(ReadError, match=r"several formats \(coco, labelme\)"):
        read_annotations(tmp_path)


def test_a_file_is_read_again_only_when_it_changes(written, labelme):
    path = written("a.json", labelme(SQUARE))
    first = read_annotations(path)
    assert read_annotations(path) is first

    written("a.json", labelme({**SQUARE, "label": "cow"}))
    os.utime(path, ns=(5, 5))
    assert read_annotations(path).names == ("cow",)


def test_no_more_is_remembered_than_is_allowed(written, monkeypatch, labelme):
    monkeypatch.setattr(reading, "_known", type(reading._known)())
    paths = [written(f"{i}.json", labelme(SQUARE)) for i in range(4)]
    monkeypatch.setattr(reading, "REMEMBERED", 2 * paths[0].stat().st_size)
    found = [read_annotations(path) for path in paths]

    assert len(reading._known) == 2
    assert read_annotations(paths[3]) is found[3]
    assert read_annotations(paths[0]) is not found[0]


def of(*files, image):
    entries = tuple(AnnotatedImage(file, None, ()) for file in files)
    return Annotations("coco", entries, (), "file.json").of(image)


def test_an_image_is_found_by_its_name_then_without_its_suffix():
    assert of("a.png", "a.jpg", image="x/a.jpg").file == "a.jpg"
    assert of("a.png", image="x/a.tif").file == "a.png"
    assert of("a.v2.png", image="x/a.v1.png") is None
    assert of("a.png", image="x/b.png") is None


def test_among_namesakes_the_folders_decide():
    assert of("train/a.png", "val/a.png", image="/data/images/val/a.png").file == "val/a.png"
    assert of("C:\\x\\train\\a.png", "C:\\x\\val\\a.png", image="val/a.png").file == "C:\\x\\val\\a.png"
    with pytest.raises(DataError, match=r"2 entries of file.json could be meant by test/a.png: train/a.png, val/a.png"):
        of("train/a.png", "val/a.png", image="test/a.png")
    with pytest.raises(DataError, match="2 entries"):
        of("a.png", "a.jpg", image="a.tif")
