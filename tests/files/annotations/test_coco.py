import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as theirs

from maskwright.errors import ReadError
from maskwright.files.annotations import draw, draw_objects, read_annotations
from maskwright.files.annotations.coco_runs import decode_counts
from maskwright.files.annotations.geometry import Runs

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))
SQUARE = [[0, 0, 4, 0, 4, 4, 0, 4]]


@given(MASKS)
def test_compressed_runs_are_those_of_the_coco_api(mask):
    packed = theirs.encode(np.asfortranarray(mask.astype(np.uint8)))
    _, inside = Runs(decode_counts(packed["counts"].decode()), mask.shape).stamp(mask.shape)

    np.testing.assert_array_equal(inside, mask)


def test_long_runs_and_steep_differences_are_decoded():
    mask = np.zeros((3000, 2000), bool)
    mask[5:, 3] = mask[:, 700:1900] = mask[17, 1950] = True
    packed = theirs.encode(np.asfortranarray(mask.astype(np.uint8)))

    np.testing.assert_array_equal(Runs(decode_counts(packed["counts"].decode()), mask.shape).stamp(mask.shape)[1], mask)
    assert decode_counts("").tolist() == []


@pytest.mark.parametrize("text", ["P", "  ", "zz", "é", "ooooooooo0", "@"])
def test_impossible_letters_are_told(text):
    with pytest.raises(ReadError, match="run lengths hold"):
        decode_counts(text)


# The COCO API has not heard of NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_polygons_are_where_the_coco_api_draws_them(written, coco):
    angles = np.linspace(0, 2 * np.pi, 25, endpoint=False)
    ring = (np.array([60.3, 40.7]) + np.stack([50 * np.cos(angles), 30 * np.sin(angles)], 1)).round(2)
    segmentation = [ring.ravel().tolist(), [100, 70, 119, 70, 119, 79, 100, 79]]
    image = read_annotations(written("a.json", coco([{"segmentation": segmentation}], size=(80, 120)))).images[0]
    mask = draw(image.shapes, (80, 120), {"cat": 1})
    other = theirs.decode(theirs.merge(theirs.frPyObjects(segmentation, 80, 120)))

    assert (mask != other).sum() <= 12  # theirs rounds the outline to a fifth of a pixel
    assert mask.sum() == pytest.approx(np.pi * 1500 * 0.99 + 171, rel=0.01)


def test_runs_as_numbers_and_as_letters_draw_the_same(written, marks, coco):
    mask = np.array([[0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]], np.uint8)
    packed = theirs.encode(np.asfortranarray(mask))
    letters = {"size": [4, 6], "counts": packed["counts"].decode()}
    numbers = {"size": [4, 6], "counts": [3, 3, 2, 1, 12, 3]}
    for segmentation in (letters, numbers):
        image = read_annotations(written("a.json", coco([{"segmentation": segmentation}]))).images[0]
        np.testing.assert_array_equal(draw(image.shapes, image.size, {"cat": 1}), mask)


def test_the_smaller_lies_over_the_larger_and_a_crowd_under_all(written, marks, coco):
    annotations = [
        {"segmentation": [[1, 1, 3, 1, 3, 3, 1, 3]], "category_id": 2},
        {"segmentation": [[0, 0, 2, 0, 2, 1, 0, 1]], "iscrowd": 1},
        {"segmentation": SQUARE},
    ]
    image = read_annotations(written("a.json", coco(annotations))).images[0]

    assert marks(draw(image.shapes, image.size, {"cat": 1, "dog": 2})) == ["111100", "122100", "122100", "111100"]
    assert [shape.crowd for shape in image.found] == [False, True, False]
    assert draw_objects(image.shapes, image.size).max() == 2


def test_categories_are_in_order_of_their_ids_with_their_groups(written, coco):
    value = coco([{"category_id": 9, "segmentation": SQUARE}])
    value["categories"] = [
        {"id": 9, "name": "zebra", "supercategory": "animal"},
        {"id": 2, "name": "other", "supercategory": "road"},
        {"id": 4, "name": "other", "supercategory": "sky"},
    ]
    found = read_annotations(written("a.json", value))

    assert found.names == ("road/other", "sky/other", "zebra")
    assert found.parents == {"road/other": "road", "sky/other": "sky", "zebra": "animal"}


def test_an_image_without_annotations_is_an_image_without_objects(written, coco):
    value = coco([])
    assert read_annotations(written("a.json", value)).of("x/a.png").shapes == ()


def test_several_files_are_one_set(written, tmp_path, coco):
    for part in ("train", "val"):
        value = coco([{"segmentation": SQUARE}])
        value["images"][0]["file_name"] = f"{part}.jpg"
        path = written(f"set/instances_{part}.json", value)
    found = read_annotations(path.parent)

    assert found.names == ("cat", "dog")
    assert [image.file for image in found.images] == ["train.jpg", "val.jpg"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segmentation": [[1, 2, 3]]}, "annotation 10: its points are no pairs"),
        ({"segmentation": [[1, 2, 3, "x"]]}, "annotation 10: its points"),
        ({"segmentation": [[1, 2, 3, 1e99]]}, "annotation 10: its points"),
        ({"segmentation": {"counts": "00"}}, "'size' is missing"),
        ({"segmentation": {"size": [4, 6], "counts": [-1]}}, "whole numbers"),
        ({"segmentation": {"size": [4, 6], "counts": "P"}}, "annotation 10: its compressed"),
        ({"segmentation": SQUARE, "image_id": 8}, "no image with the id 8"),
        ({"segmentation": SQUARE, "category_id": 8}, "no category with the id 8"),
        ({"segmentation": SQUARE, "image_id": []}, "annotation 10: not as it should be"),
        ({"segmentation": []}, "boxes only"),
        ({"segments_info": []}, "panoptic"),
    ],
)
def test_faults_are_told_with_their_place(written, change, message, coco):
    with pytest.raises(ReadError, match=message):
        read_annotations(written("a.json", coco([change])))


def test_objects_without_outline_are_counted(written, coco):
    found = read_annotations(written("a.json", coco([{"segmentation": SQUARE}, {"bbox": [0, 0, 1, 1]}])))

    assert "1 objects" in found.notes[0]


def test_not_a_number_is_no_coordinate(written, coco):
    text = json.dumps(coco([{"segmentation": [[0, 0, float("nan"), 0, 4, 4]]}]))
    with pytest.raises(ReadError, match="finite"):
        read_annotations(written("a.json", text))
