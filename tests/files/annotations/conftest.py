"""Annotation files as their tools write them, small enough to be checked by eye."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def written(tmp_path):
    """Write text, bytes or something for JSON to a file, and give its path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str | bytes):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def marks():
    """A picture as rows of digits, for comparing by eye."""
    return lambda picture: ["".join(map(str, row)) for row in np.asarray(picture).tolist()]


def _png_text(mask):
    """A mask as labelme embeds it: base64 of a PNG."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(mask, np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _coco(annotations, categories=("cat", "dog"), size=(4, 6)):
    """A COCO file with one image called a.png."""
    return {
        "images": [{"id": 7, "file_name": "a.png", "height": size[0], "width": size[1]}],
        "annotations": [{"id": 10 + i, "image_id": 7, "category_id": 1, **a} for i, a in enumerate(annotations)],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(categories)],
    }


def _labelme(*shapes, size=(4, 6), **more):
    """A labelme file."""
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
        **more,
    }


def _cvat(*elements, size=(4, 6), labels=("cat", "dog")):
    """A CVAT file with one image called sub/a.png."""
    listed = "".join(f"<label><name>{name}</name></label>" for name in labels)
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n<annotations><version>1.1</version><meta><task><labels>{listed}"
        f"</labels></task></meta>\n<image id='0' name='sub/a.png' width='{size[1]}' height='{size[0]}'>\n"
        + "\n".join(elements)
        + "\n</image></annotations>"
    )


def _label_studio(*results, image="/data/upload/1/0123abcd-a.png", size=(4, 6), **task):
    """A Label Studio file with one task."""
    frame = {"original_height": size[0], "original_width": size[1], "image_rotation": 0}
    results = [{"id": f"r{i}", **frame, **result} for i, result in enumerate(results)]
    return [{"id": 3, "data": {"image": image}, "annotations": [{"completed_by": 1, "result": results}], **task}]


def _geojson(*features, **more):
    """A GeoJSON file; features as pairs of geometry and properties."""
    listed = [{"type": "Feature", "geometry": geometry, "properties": found} for geometry, found in features]
    return {"type": "FeatureCollection", "features": listed, **more}


@pytest.fixture
def coco():
    """A file of this kind, from its parts."""
    return _coco


@pytest.fixture
def labelme():
    """A file of this kind, from its parts."""
    return _labelme


@pytest.fixture
def cvat():
    """A file of this kind, from its parts."""
    return _cvat


@pytest.fixture
def label_studio():
    """A file of this kind, from its parts."""
    return _label_studio


@pytest.fixture
def geojson():
    """A file of this kind, from its parts."""
    return _geojson


@pytest.fixture
def png_text():
    """The text of a PNG, from its parts."""
    return _png_text
