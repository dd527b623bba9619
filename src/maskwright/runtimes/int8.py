"""A network in 8-bit numbers: smaller, on many processors faster, and a little less exact.

Weights and maps are rounded to 8 bit, each map to a range seen on calibration images. The model that comes out is
ONNX with explicit rounding (QuantizeLinear and DequantizeLinear), which ONNX Runtime and OpenVINO both compute in
whole numbers. Scheme: Jacob et al. 2018, arXiv 1712.05877; Wu et al. 2020, arXiv 2004.09602.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from maskwright.errors import DataError
from maskwright.model import UNet
from maskwright.records import Record
from maskwright.runtimes.by_onnxruntime import QUIET
from maskwright.runtimes.models import converted
from maskwright.runtimes.packages import demand

if TYPE_CHECKING:
    import onnx

VALUES: Final = 1 << 16
"""Values of each map of each image that its range is chosen by, taken at equal steps."""
LEVELS: Final = 255
"""Steps of 8 bit."""
CUTS: Final = (0.0, 1e-5, 1e-4, 1e-3)
"""Shares of the values that may lie outside of a range, on either side."""


class Int8Settings(Record):
    """How a network is rounded."""

    ranges: Literal["minmax", "percentile", "error"] = "error"
    """What a map's range is: minmax: all that was seen. percentile: all but one in 10,000 on either side. error: of
    these and two more, the one whose rounded values differ least, by the mean square."""
    kept: Literal["none", "first", "last", "ends"] = "ends"
    """Layers that stay in 32 bit: the convolutions that read the image, the one that gives the logits, both."""
    transposed: bool = True
    """Whether transposed convolutions are rounded too."""
    seven_bit: bool = True
    """Whether weights use 7 of their 8 bit. Processors without VNNI add pairs of products in 16 bit: 8 overflow."""
    images: int = Field(32, ge=1)
    """Calibration images that are looked at, at most."""


def quantised(network: UNet, images: Iterable[Tensor], settings: Int8Settings | None = None) -> bytes:
    """The network as an ONNX model in 8 bit, for `prepare_model` of the runtimes onnxruntime and openvino.

    images: C h w or B C h w each, normalised, of a size that fits the network; training images, some dozen. All maps
    of one are held at once: windows of 256 pixels a side are large enough.

    Raises:
        SettingError: onnx or onnxruntime is not installed, or ONNX cannot say the network.
        DataError: there is no image.
    """
    settings = settings or Int8Settings()
    onnx = demand("onnx", "onnx", "int8")
    tools = demand("onnxruntime.quantization", "onnx", "int8")
    quantizer = demand("onnxruntime.quantization.qdq_quantizer", "onnx", "int8")
    calibration = demand("onnxruntime.quantization.calibrate", "onnx", "int8")
    model = onnx.load_model_from_string(converted(network))
    seen = observed(model, islice((_batch(image, network) for image in images), settings.images))
    if not seen:
        raise DataError("int8 needs calibration images, and there is none. Give some of the training images.")
    ranges = {name: _range(values, settings.ranges) for name, values in seen.items()}
    work = quantizer.QDQQuantizer(
        onnx.shape_inference.infer_shapes(model),
        per_channel=True,
        reduce_range=settings.seven_bit,
        weight_qType=tools.QuantType.QInt8,
        activation_qType=tools.QuantType.QUInt8,
        tensors_range=calibration.TensorsData(calibration.CalibrationMethod.MinMax, ranges),
        nodes_to_quantize=[],
        nodes_to_exclude=_kept(model, settings.kept),
        op_types_to_quantize=["Conv", "MaxPool", "Concat", "Relu", *(["ConvTranspose"] if settings.transposed else [])],
        extra_options={},
    )
    work.quantize_model()
    return bytes(work.model.model.SerializeToString())


def observed(model: "onnx.ModelProto", batches: Iterable[NDArray[np.float32]]) -> dict[str, list[NDArray[np.float32]]]:
    """Some values of each map of 32-bit numbers in the model, by its name; an entry a batch, with both extremes."""
    onnx = demand("onnx", "onnx", "int8")
    ort = demand("onnxruntime", "onnx", "int8")
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name != "logits"]
    open_model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    # What is fused away cannot be looked at.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(open_model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    seen: dict[str, list[NDArray[np.float32]]] = {}
    for batch in batches:
        maps = session.run(["logits", *names], {"image": batch})
        for name, found in zip(["logits", *names, "image"], [*maps, batch], strict=True):
            if found.dtype == np.float32 and found.size:
                seen.setdefault(name, []).append(_some(found))
    return seen


def _some(values: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = values.reshape(-1)
    # An odd step meets every column and channel in turn.
    step = max(1, flat.size // VALUES) | 1
    return np.concatenate([flat[::step], [flat.min(), flat.max()]]).astype(np.float32)


def _batch(image: Tensor, network: UNet) -> NDArray[np.float32]:
    whole = image if image.ndim == network.record.dims + 2 else image[None]
    return whole.detach().float().cpu().numpy()


def _range(values: list[NDArray[np.float32]], by: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The lowest and highest value that 8 bit stand for; 0 is always among them."""
    every = np.sort(np.concatenate(values))
    candidates = [_cut(every, share) for share in CUTS]
    if by == "minmax":
        low, high = candidates[0]
    elif by == "percentile":
        low, high = candidates[CUTS.index(1e-4)]
    else:
        low, high = min(candidates, key=lambda ends: _error(every, *ends))
    return np.float32(low), np.float32(high)  # type: ignore[return-value]  # numpy: np.float32 of a float is float32


def _cut(every: NDArray[np.float32], share: float) -> tuple[float, float]:
    drop = int(share * every.size)
    return min(0.0, float(every[drop])), max(0.0, float(every[-1 - drop]))


def _error(every: NDArray[np.float32], low: float, high: float) -> float:
    """The mean square of what rounding to the range changes."""
    step = (high - low) / LEVELS or 1.0
    zero = np.round(-low / step)
    rounded = (np.clip(np.round(every / step) + zero, 0, LEVELS) - zero) * step
    return float(np.mean((rounded - every) ** 2))


def _kept(model: "onnx.ModelProto", which: str) -> list[str]:
    """Names of the layers that stay in 32 bit."""
    kept = list(_readers(model, "image")) if which in {"first", "ends"} else []
    if which in {"last", "ends"}:
        heads = [node.name for node in model.graph.node if node.op_type == "Conv"]
        kept += heads[-1:]
    return kept


def _readers(model: "onnx.ModelProto", name: str) -> Iterator[str]:
    return (node.name for node in model.graph.node if node.op_type == "Conv" and name in node.input)
