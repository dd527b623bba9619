"""A member's network in 8-bit integers, fitted to images as they are stored."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from numpy.typing import NDArray
from torch import Tensor

from maskwright.anysize import fitted
from maskwright.exports.whole import Core
from maskwright.inference.looks import looks_of
from maskwright.modelfile import Model
from maskwright.runtimes.int8 import quantised
from maskwright.runtimes.packages import demand

WINDOW: Final = 256
"""Working pixels a side of what the ranges are fitted to: all maps of one image are held at once."""


def in_int8(images: Sequence[NDArray[Any]]) -> Core:
    """Writes a member's network in 8-bit integers; images: H W C as stored, that it was trained on."""

    def core(model: Model) -> Any:
        onnx = demand("onnx", "onnx", "An export in 8-bit integers")
        return onnx.load_model_from_string(quantised(model.network, _windows(model, images)))

    return core


def _windows(model: Model, images: Sequence[NDArray[Any]]) -> Iterator[Tensor]:
    """The middle of each image as the network sees it, of a size that fits.

    Where the model looks at images in several ways, they take turns: maps of other scales have other ranges, and all
    ways of each image would take as many times as long and say little more.
    """
    looks = looks_of([model])
    views = [(look.preprocess, way) for way in looks[0].ways for look in looks]
    for n in range(max(len(images), len(views)) if images else 0):
        preprocess, way = views[n % len(views)]
        seen_Chw = preprocess(images[n % len(images)])
        top, left = (max(0, n - WINDOW) // 2 for n in seen_Chw.shape[1:])
        yield way.of(fitted(model.network.record, seen_Chw[:, top : top + WINDOW, left : left + WINDOW]))
