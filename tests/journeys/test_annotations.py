"""From annotation files to a model, with no option but the folder."""

import json

import numpy as np
import pytest
from PIL import Image

import maskwright
from maskwright.api import diagnose


def paint_with_coco(root):
    images, annotations = [], []
    for number in range(6):
        left, top = 4 + 3 * number, 40 - 5 * number
        draw(root / "images" / f"{number}.png", left, top)
        images.append({"id": number, "file_name": f"{number}.png", "height": 64, "width": 64})
        outline = [left, top, left + 16, top, left + 16, top + 12, left, top + 12]
        annotations.append({"id": number, "image_id": number, "category_id": 3, "segmentation": [outline]})
    about = {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "box"}]}
    (root / "all.json").write_text(json.dumps(about))


def paint_with_labelme(root):
    for number in range(6):
        left, top = 4 + 3 * number, 40 - 5 * number
        draw(root / f"{number}.png", left, top)
        shape = {"label": "box", "points": [[left, top], [left + 16, top + 12]], "shape_type": "rectangle"}
        about = {"imagePath": f"{number}.png", "imageData": None, "imageHeight": 64, "imageWidth": 64}
        (root / f"{number}.json").write_text(json.dumps({**about, "shapes": [shape]}))


def draw(path, left, top):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(left).integers(0, 90, (64, 64), np.uint8)
    pixels[top : top + 12, left : left + 16] += 120
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("paint", [paint_with_coco, paint_with_labelme])
def test_a_folder_of_annotations_trains_with_no_option(paint, tiny, tmp_path):
    paint(tmp_path / "data")

    assert not diagnose(tmp_path / "data").errors
    maskwright.train(tmp_path / "data", out=tmp_path / "run", epochs=2, device="cpu", settings=tiny)

    assert (tmp_path / "run" / "model.safetensors").is_file()
    scores = maskwright.evaluate(tmp_path / "run" / "model.safetensors", tmp_path / "data", split="val")
    assert [one.name for one in scores.classes] == ["background", "box"]
