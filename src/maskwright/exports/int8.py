"""A member's network in 8-bit integers, fitted to images as they are stored."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from numpy.typing import NDArray
from torch import Tensor

from maskwright.anysize import fitted
from maskwright.exports.whole import Core
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
    """The middle of each image as the network sees it, of a size that fits."""
    for image_HWC in images:
        seen_Chw = model.description.preprocess(image_HWC)
        top, left = (max(0, n - WINDOW) // 2 for n in seen_Chw.shape[1:])
        yield fitted(model.network.record, seen_Chw[:, top : top + WINDOW, left : left + WINDOW])
