"""Whatever is done to a file, it gives annotations that can be drawn, or one of our errors."""

import copy
import json
import random

import pytest

from maskwright.errors import MaskwrightError
from maskwright.files.annotations import Reading, draw, draw_objects, read_annotations

ROUNDS = 250
STRANGE = [None, True, -1, 0, 1e308, 10**30, 0.5, "", "x", "1", "\ud800", [], {}, [[]], [None], {"": None}, [[1, 2]], float("nan"), -(10**9)]  # fmt: skip # noqa: E501
SQUARE = [[1, 1], [3, 1], [3, 3], [1, 3]]

AS_IT_IS = Reading()


@pytest.fixture
def samples(coco, labelme, cvat, label_studio, geojson, png_text):
    runs = {"size": [4, 6], "counts": "1220<3"}
    box = {"x": 5, "y": 5, "width": 9, "height": 9, "rotation": 3}
    oval = {"x": 5, "y": 5, "radiusX": 9, "radiusY": 9, "rotation": 3}
    brush = {"format": "rle", "rle": [0, 0, 0, 96, 57, 9, 250, 3, 1, 2, 3, 4, 5]}
    regions = [
        {"type": f"{kind}labels", "value": {**value, f"{kind}labels": ["cat"]}}
        for kind, value in {"polygon": {"points": SQUARE}, "rectangle": box, "ellipse": oval, "brush": brush}.items()
    ]
    shapes = [
        {"label": "cat", "points": SQUARE, "shape_type": "polygon", "group_id": 1},
        {"label": "dog", "points": SQUARE[::2], "shape_type": "circle"},
        {"label": "dog", "points": SQUARE[::2], "shape_type": "rectangle"},
        {"label": "dog", "points": SQUARE, "shape_type": "linestrip"},
        {"label": "eel", "points": [[1, 1], [2, 2]], "shape_type": "mask", "mask": png_text([[1, 0], [0, 1]])},
    ]
    features = [
        ({"type": "Polygon", "coordinates": [SQUARE]}, {"class": "a"}),
        ({"type": "MultiLineString", "coordinates": [SQUARE]}, {"classification": {"name": "b"}}),
    ]
    annotations = [
        {"segmentation": [[1, 1, 3, 1, 3, 3]]},
        {"segmentation": runs, "iscrowd": 1},
        {"segmentation": {"size": [4, 6], "counts": [3, 4, 5]}},
    ]
    return {
        "coco.json": coco(annotations),
        "labelme.json": labelme(*shapes),
        "studio.json": label_studio(*regions),
        "map.geojson": geojson(*features),
        "cvat.xml": cvat(
            "<polygon label='cat' points='1.0,1.0;3.0,1.0;3.0,3.0' z_order='1'/>",
            "<box label='dog' xtl='2' ytl='2' xbr='5' ybr='4' rotation='5'/>",
            "<mask label='cat' rle='1, 2, 2, 1' left='2' top='1' width='3' height='2'/>",
            "<ellipse label='cat' cx='3' cy='2' rx='2' ry='1'/><polyline label='cat' points='2,5;3,5'/>",
        ),
        "labels/a.txt": "0 0 0 1 0 1 1\n1 0 0 0.5 0 0.5 0.5 0 0.5\n",
        "data.yaml": "path: .\ntrain: images\nnames: {0: cat, 1: dog}\n",
        "table.csv": "ImageId,ClassId,EncodedPixels,width,height\nx,1,1 2 5 1,6,4\nx,2,9 1,6,4\n",
    }  # fmt: skip


def places(value, way=()):
    """The way to every value inside."""
    yield way
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*way, key))


def wrecked(value, draw_from):
    """A copy with some values replaced, left out or taken from elsewhere in it."""
    value = copy.deepcopy(value)
    for _ in range(draw_from.randint(1, 3)):
        way = draw_from.choice([way for way in places(value) if way])
        here = value
        for key in way[:-1]:
            here = here[key]
        if draw_from.random() < 0.25:
            del here[way[-1]]
        else:
            here[way[-1]] = copy.deepcopy(draw_from.choice(STRANGE))
        if not value:
            return value
    return value


def scratched(data, draw_from):
    """The bytes with some changed, cut out, doubled, or the end cut off."""
    data = bytearray(data)
    for _ in range(draw_from.randint(1, 4)):
        place, length = draw_from.randrange(len(data) + 1), draw_from.randint(1, 8)
        piece = data[place : place + length]
        new = draw_from.choice([b"", bytes([draw_from.randrange(256)]), piece * 2, b"9" * length, b"-", b"\0"])
        data[place : place + length] = new
        if draw_from.random() < 0.1:
            del data[place:]
        if not data:
            break
    return bytes(data)


def survives(path, reading=AS_IT_IS):
    """Whether the file was read; everything that goes wrong is ours."""
    try:
        found = read_annotations(path, reading)
    except MaskwrightError:
        return False
    values = {name: 1 for name in found.names}
    for image in found.images:
        for size in {image.size or (4, 6), (4, 6)}:
            if size[0] * size[1] > 10_000:
                continue
            try:
                draw(image.shapes, size, values)
                draw_objects(image.shapes, size)
            except MaskwrightError:
                continue
        try:
            found.of(image.file)
        except MaskwrightError:
            continue
    return True


def test_every_sample_is_sound(samples, written):
    for name, value in samples.items():
        assert survives(written(name, value), Reading(class_property="class") if "map" in name else Reading()), name


@pytest.mark.parametrize("name", ["coco.json", "labelme.json", "studio.json", "map.geojson"])
def test_values_that_are_something_else(samples, written, name):
    read = 0
    for seed in range(ROUNDS):
        value = wrecked(samples[name], random.Random(seed))
        read += survives(written(name, json.dumps(value)))
    assert 0 < read < ROUNDS or name == "map.geojson"


@pytest.mark.parametrize("name", ["coco.json", "labelme.json", "studio.json", "map.geojson", "cvat.xml", "labels/a.txt", "data.yaml", "table.csv"])  # fmt: skip # noqa: E501
def test_bytes_that_are_something_else(samples, written, name):
    value = samples[name]
    data = (value if isinstance(value, str) else json.dumps(value)).encode()
    for other in ("labels/a.txt", "data.yaml") if name in ("labels/a.txt", "data.yaml") else ():
        written(other, samples[other])
    for seed in range(ROUNDS):
        survives(written(name, scratched(data, random.Random(seed))))
