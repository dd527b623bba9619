# SPDX-License-Identifier: MIT-0
"""Predict a mask with an ONNX file that Maskwright has exported: python runner.py model.onnx image.png mask.png

Needs numpy, onnxruntime and Pillow, nothing else. Images that Pillow does not read, such as those of many channels,
may come as .npy: H W or H W C, of the kind of number the training images held. Copy, change and ship it as you like.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read(path: str) -> np.ndarray:
    """The image as it is stored, H W C."""
    if path.endswith(".npy"):
        image = np.load(path)
    else:
        picture = ImageOps.exif_transpose(Image.open(path))
        plain = {"1": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB", "CMYK": "RGB", "I;16B": "I;16"}
        image = np.asarray(picture.convert(plain.get(picture.mode, picture.mode)))
    return image[:, :, None] if image.ndim == 2 else image


def pieces(size: int, tiling: dict | None) -> list[tuple[int, int, int, int]]:
    """Of one side: (read from, read to, keep from, keep to), for pieces that overlap by a halo."""
    if tiling is None or size <= tiling["side"]:
        return [(0, size, 0, size)]
    halo, keep = tiling["halo"], tiling["side"] - 2 * tiling["halo"]
    starts = range(0, size, keep // tiling["step"] * tiling["step"])
    return [(max(0, a - halo), min(size, a + starts.step + halo), a, min(size, a + starts.step)) for a in starts]


def labels_of(session: onnxruntime.InferenceSession, about: dict, image: np.ndarray) -> np.ndarray:
    """The label of each pixel, H W: 0 for the first class. A large image is seen piece by piece."""
    labels = np.empty(image.shape[:2], np.uint8)
    for top, bottom, first, last in pieces(image.shape[0], about["tiling"]):
        for left, right, start, stop in pieces(image.shape[1], about["tiling"]):
            piece = np.ascontiguousarray(image[None, top:bottom, left:right])
            found = session.run(["labels"], {"image": piece})[0][0]
            labels[first:last, start:stop] = found[first - top : last - top, start - left : stop - left]
    return labels


def mask_of(labels: np.ndarray, about: dict) -> Image.Image:
    """The picture to write: each class by the value, palette entry or colour that the training masks use."""
    values = np.array([c["value"] for c in about["classes"]])[labels]
    if about["mask"]["mode"] == "colour":
        return Image.fromarray(np.stack([values >> 16, values >> 8 & 255, values & 255], axis=2).astype(np.uint8))
    mask = Image.fromarray(values.astype(about["mask"]["dtype"]))
    if about["mask"]["palette"]:
        mask.putpalette([part for colour in about["mask"]["palette"] for part in colour])
    return mask


def main(model: str, source: str, target: str) -> None:
    """Read, predict, write."""
    session = onnxruntime.InferenceSession(model)
    about = json.loads(session.get_modelmeta().custom_metadata_map["maskwright"])
    image = read(source)
    if image.dtype != about["image"]["dtype"]:
        sys.exit(f"{source} holds {image.dtype} values, the model was made for {about['image']['dtype']}.")
    mask_of(labels_of(session, about, image), about).save(target)
    print(f"{target}: {', '.join(c['name'] for c in about['classes'])}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
