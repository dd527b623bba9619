"""What a person calls an image, as a scene."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as Picture
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.files import ArrayScene, Scene, open_scene

Image = str | Path | NDArray[Any] | Picture | Tensor | Scene
"""A file; an array H W or H W C as it would be read from one; a picture of Pillow's; a tensor H W or C H W; a scene."""

AHEAD: Final = 128 << 20
"""Bytes of a picture up to which it is read whole before its turn has come."""


@contextmanager
def opened(image: "Image | _Named") -> Iterator[tuple[Scene, object]]:
    """The image as a scene, for the length of a block, and what errors call it.

    Raises:
        ReadError: the file does not open.
        SettingError: it is no image.
    """
    if isinstance(image, str | Path):
        with open_scene(image) as scene:
            yield scene, image
        return
    if isinstance(image, _Named):
        yield image.scene, image.file
        return
    yield _scene(image), "the image"


def decoded(image: Image) -> "Image | _Named":
    """The image, read into memory if it is a file and not large."""
    if not isinstance(image, str | Path):
        return image
    with open_scene(image) as scene:
        header = scene.header
        if header.height * header.width * header.channels * np.dtype(header.dtype).itemsize > AHEAD:
            return image
        pixels_HWC, valid_HW = scene.read_valid(slice(0, header.height), slice(0, header.width))
        return _Named(ArrayScene(pixels_HWC, valid_HW, scene.georeference), image)


class _Named:
    """A scene that was read from a file."""

    def __init__(self, scene: Scene, file: object):
        self.scene, self.file = scene, file


def _scene(image: Any) -> Scene:
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        image = (image.movedim(0, 2) if image.ndim == 3 else image).numpy()
    elif isinstance(image, Picture):
        image = _pixels(image)
    if isinstance(image, np.ndarray):
        return ArrayScene(image)
    if not hasattr(image, "read_valid"):
        raise SettingError(
            f"An image is a path, an array H W or H W C, a picture of Pillow's, a tensor H W or C H W, or a scene, not "
            f"{type(image).__name__}."
        )
    scene: Scene = image
    return scene


def _pixels(picture: Picture) -> NDArray[Any]:
    """A picture of Pillow's as it would be read from its file: colours or grey, without alpha."""
    if picture.mode in {"L", "RGB", "F"}:
        return np.array(picture)
    if picture.mode.startswith("I;16"):
        return np.array(picture).astype(np.uint16)
    if picture.mode == "I":
        return np.array(picture).astype(np.float32)
    return np.array(picture.convert("L" if picture.mode in {"1", "LA"} else "RGB"))
