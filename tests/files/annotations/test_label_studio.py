import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import DataError, ReadError
from maskwright.files.annotations import draw, read_annotations
from maskwright.files.annotations.brush import unpack


def packed(groups, widths=(3, 4, 8, 16)):
    """Label Studio's stream, written bit by bit: groups of (numbers, whether they are one number repeated)."""
    bits = f"{sum(len(numbers) for numbers, _ in groups):032b}{7:05b}" + "".join(f"{w - 1:04b}" for w in widths)
    for numbers, repeated in groups:
        which = next(i for i, w in enumerate(widths) if len(numbers) <= 2**w)
        bits += f"{int(repeated)}{which:02b}{len(numbers) - 1:0{widths[which]}b}"
        bits += "".join(f"{n:08b}" for n in (numbers[:1] if repeated else numbers))
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


GROUPS = st.lists(
    st.tuples(st.lists(st.integers(0, 255), min_size=1, max_size=20), st.booleans()).map(
        lambda g: ([g[0][0]] * len(g[0]) * 9, True) if g[1] else g
    ),
    min_size=1,
    max_size=12,
)


@given(GROUPS)
def test_what_was_packed_bit_by_bit_is_unpacked(groups):
    numbers = [n for group, _ in groups for n in group]

    assert unpack(packed(groups), len(numbers)).tolist() == numbers


def test_a_stream_of_label_studios_own_encoder_is_unpacked(marks):
    """As `label_studio_converter.brush.encode_rle` (0.0.59) packs this mask."""
    stream = bytes([0, 0, 0, 96, 57, 27, 252, 96, 19, 255, 223, 0, 143, 254, 216, 4, 127, 248, 76, 3, 13, 255, 128])
    alpha = unpack(stream, 96).reshape(4, 6, 4)[:, :, 3]

    assert marks(alpha // 255) == ["011000", "010001", "000001", "111111"]


def test_a_brush_marks_what_has_alpha(written, marks, label_studio):
    mask = np.array([[0, 1, 1, 0, 0, 0]] * 2 + [[0, 0, 0, 0, 0, 1]] * 2)
    pixels = (mask[..., None] * [10, 20, 30, 90]).ravel().tolist()
    stream = list(packed([(pixels[i : i + 4], False) for i in range(0, 96, 4)]))
    region = {"type": "brushlabels", "value": {"format": "rle", "rle": stream, "brushlabels": ["cat"]}}
    image = read_annotations(written("a.json", label_studio(region))).images[0]

    np.testing.assert_array_equal(draw(image.shapes, (4, 6), {"cat": 1}), mask)


def test_percents_are_of_width_and_height_and_later_lie_over_earlier(written, marks, label_studio):
    polygon = {
        "type": "polygonlabels",
        "value": {"points": [[0, 0], [50, 0], [50, 100], [0, 100]], "polygonlabels": ["cat"]},
    }
    box = {
        "type": "rectanglelabels",
        "value": {"x": 33.4, "y": 50, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["dog"]},
    }
    found = read_annotations(written("a.json", label_studio(polygon, box)))
    image = found.images[0]

    assert (found.format, found.names, image.size) == ("label-studio", ("cat", "dog"), (4, 6))
    assert marks(draw(image.shapes, image.size, {"cat": 1, "dog": 2})) == ["111000", "111000", "112220", "111000"]


def test_a_rectangle_turns_around_its_upper_left_corner_and_an_ellipse_around_its_middle(written, label_studio):
    box = {
        "type": "rectanglelabels",
        "value": {"x": 50, "y": 0, "width": 40, "height": 10, "rotation": 90, "rectanglelabels": ["cat"]},
    }
    ellipse = {
        "type": "ellipselabels",
        "value": {"x": 80, "y": 50, "radiusX": 15, "radiusY": 2, "rotation": 90, "ellipselabels": ["dog"]},
    }
    image = read_annotations(written("a.json", label_studio(box, ellipse, size=(100, 200)))).images[0]
    picture = draw(image.shapes, image.size, {"cat": 1, "dog": 2})

    assert [np.flatnonzero((picture == 1).any(axis)).tolist()[:: n - 1] for axis, n in ((0, 10), (1, 80))] == [
        [90, 99],
        [0, 79],
    ]
    rows, columns = np.nonzero(picture == 2)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (21, 78, 158, 161)


@pytest.mark.parametrize(
    "image",
    [
        "/data/upload/1/0123abcd-a%20b.png",
        "s3://bucket/folder/a%20b.png",
        "https://host/folder/a%20b.png?token=x",
        "/data/local-files/?d=folder/a%20b.png",
        "C:\\folder\\a b.png",
    ],
)
def test_an_image_is_found_by_the_name_it_had_before_the_upload(written, image, label_studio):
    found = read_annotations(written("a.json", label_studio(image=image)))

    assert found.of("photos/a b.png") is found.images[0]


def test_regions_in_two_results_are_one_and_those_without_a_label_are_counted(written, label_studio):
    points = [[0, 0], [100, 0], [100, 100]]
    outline = {"id": "x", "type": "polygon", "value": {"points": points}}
    label = {"id": "x", "type": "labels", "value": {"points": points, "labels": ["cat"]}}
    alone = {"id": "y", "type": "polygon", "value": {"points": points}}
    keypoint = {"id": "z", "type": "keypointlabels", "value": {"x": 1, "y": 1, "width": 1, "keypointlabels": ["cat"]}}
    choice = {"id": "w", "type": "choices", "value": {"choices": ["good"]}}
    found = read_annotations(written("a.json", label_studio(outline, label, alone, keypoint, choice)))

    assert [shape.name for shape in found.images[0].shapes] == ["cat"]
    assert found.notes[0].startswith("2 regions")


def test_who_annotated_is_asked_for_where_several_did(written, label_studio):
    value = label_studio()
    value[0]["annotations"] += [
        {"completed_by": 2, "result": []},
        {"completed_by": 3, "was_cancelled": True, "result": []},
    ]
    found = read_annotations(written("a.json", value))

    with pytest.raises(DataError, match=r"2 people .*: 1, 2"):
        found.of("a.png")
    assert found.of("a.png", annotator="2") is found.images[1]


def test_a_task_nobody_did_is_no_image(written, label_studio):
    value = label_studio() + label_studio(image="b.png", annotations=[])

    assert read_annotations(written("a.json", value)).of("b.png") is None


POLYGON = {"type": "polygonlabels", "value": {"points": [[0, 0], [1, 1], [2, 0]], "polygonlabels": ["cat"]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_rotation": 90}, "task 3, region r0: the image was turned"),
        ({"original_width": None}, "the width is None"),
        ({"value": {"points": [[0]], "polygonlabels": ["cat"]}}, "region r0: its points"),
        ({"value": {"points": [[0, 0]], "polygonlabels": ["cat", "dog"]}}, "2 labels"),
        ({"value": {"rle": [1, 300], "brushlabels": ["cat"]}}, "no list of bytes"),
        ({"value": {"rle": [0, 0, 0, 9] * 9, "brushlabels": ["cat"]}}, "9 numbers of 1 bits; 96 of 8"),
        ({"value": {"rle": [0], "brushlabels": ["cat"]}}, "ends too early"),
        ({"value": {"x": "q", "y": 0, "width": 1, "height": 1, "rectanglelabels": ["cat"]}}, "x is 'q'"),
    ],
)
def test_faults_are_told_with_their_place(written, change, message, label_studio):
    path = written("a.json", label_studio({**POLYGON, **change}))
    with pytest.raises(ReadError, match=message):
        draw(read_annotations(path).images[0].shapes, (4, 6), {"cat": 1})


def test_a_task_with_no_image_or_several_is_told(written, label_studio):
    with pytest.raises(ReadError, match="no value of its data"):
        read_annotations(written("a.json", label_studio(data={"text": "hello"})))
    with pytest.raises(ReadError, match="several images"):
        read_annotations(written("a.json", label_studio(data={"a": "a.png", "b": "b.png"})))
