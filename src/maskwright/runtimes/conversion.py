"""A network as an ONNX model, which ONNX Runtime, OpenVINO and others compute.

torch has two exporters. This uses the older one, which traces: it needs no package but onnx, takes 0.1 s where the
newer takes ten, and folds what is constant. What a trace cannot say, that it holds for every size, is checked: the
network is traced at two sizes, and both must give the same graph.
"""

import io
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from maskwright.errors import SettingError
from maskwright.model import UNet
from maskwright.runtimes.folding import example_shape, folded
from maskwright.runtimes.packages import demand

if TYPE_CHECKING:
    import onnx

OPSET: Final = 18
"""Operators of ONNX 1.13: everything that reads ONNX today knows them, and torch 2.6 to 2.15 write them."""
IR: Final = 8
"""Version of the file's layout that came with them."""
MOST: Final = 2**31 - 1
"""Bytes of one ONNX file: what protobuf can hold."""
SAME: Final = 1024
"""Constants of up to so many bytes are compared between two traces; larger ones are weights."""

_EXPORTING = threading.Lock()  # torch's exporter keeps its state in globals


def onnx_model(network: UNet) -> "onnx.ModelProto":
    """The network as an ONNX model with its weights inside and its batch norms folded.

    Input `image`: B C H W (B C D H W in three dimensions), float32, normalised, any batch and any size that fits the
    network as in `UNet.logits`; the caller pads. Output `logits`: B K H W, float32; of a valid network as much smaller
    as it loses. Operators of opset 18.

    Raises:
        SettingError: the package onnx is not installed; the network has operators that ONNX does not; its graph hangs
            on the image's size (some transformers among timm's encoders); it is larger than a file can be.
    """
    demand("onnx", "onnx", "ONNX")
    with torch.inference_mode(False), torch.no_grad():
        plain = folded(network).to(device="cpu", dtype=torch.float32)
        if sum(p.numel() * p.element_size() for p in plain.parameters()) > MOST * 0.99:
            raise SettingError("The network's weights are larger than an ONNX file can hold, 2 GB.")
        model = _traced(plain, torch.zeros(example_shape(plain, 1, 1)))
        again = _traced(plain, torch.zeros(example_shape(plain, 2, 2, 1)))
    _tidy(model)
    _tidy(again)
    if _told(model) != _told(again):
        raise SettingError(
            f"The encoder {network.record.encoder.name} computes images of each size in another way, which one ONNX "
            "graph cannot say. Use the runtime torch, or another encoder such as resnet34."
        )
    _describe(model, network)
    return model


class _Logits(nn.Module):
    """The network without the padding around it: `forward` is `logits`."""

    def __init__(self, network: UNet):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.logits(images)


def _traced(network: UNet, images: Tensor) -> "onnx.ModelProto":
    import onnx

    spatial = {dim: f"size{dim}" for dim in range(2, images.ndim)}
    file = io.BytesIO()
    # Torch's stubs change from version to version.
    options: dict[str, Any] = {"f": file, "dynamo": False, "opset_version": OPSET}
    with _EXPORTING, warnings.catch_warnings():
        # That the trace decides by sizes is checked by a second one; that another exporter exists is known.
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                _Logits(network).eval(),
                (images,),
                input_names=["image"],
                output_names=["logits"],
                dynamic_axes={"image": {0: "B", **spatial}, "logits": {0: "B", **spatial}},
                **options,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise SettingError(
                f"This network has an operator that ONNX {OPSET} does not have ({str(error).splitlines()[0]}). "
                "Use the runtime torch."
            ) from error
    return onnx.load_model_from_string(file.getvalue())


def _tidy(model: "onnx.ModelProto") -> None:
    """Take out the copies that torch puts in for equal weights, and mend what it leaves."""
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    source: dict[str, str] = {}
    kept = []
    for node in graph.node:
        node.doc_string = ""  # places in our code
        _count_from_zero(node)
        if node.op_type == "Identity" and (origin := source.get(node.input[0], node.input[0])) in weights:
            source[node.output[0]] = origin
        else:
            kept.append(node)
    for node in kept:
        for at, name in enumerate(node.input):
            node.input[at] = source.get(name, name)
    del graph.node[:]
    graph.node.extend(kept)
    del graph.value_info[:]


def _count_from_zero(node: "onnx.NodeProto") -> None:
    """Dimensions of a transposition as ONNX counts them; torch leaves -1 for the last."""
    for attribute in node.attribute:
        if node.op_type == "Transpose" and attribute.name == "perm":
            attribute.ints[:] = [dim % len(attribute.ints) for dim in attribute.ints]


def _told(model: "onnx.ModelProto") -> list[Any]:
    """All of a graph that must not hang on the size it was traced at."""
    nodes = [node.SerializeToString(deterministic=True) for node in model.graph.node]
    weights = [
        (weight.name, tuple(weight.dims), weight.raw_data if len(weight.raw_data) <= SAME else b"")
        for weight in model.graph.initializer
    ]
    return [nodes, sorted(weights)]


def _describe(model: "onnx.ModelProto", network: UNet) -> None:
    """Name the graph and the letters of its shapes."""
    letters = ["D", "H", "W"][-network.record.dims :]
    (image,), (logits,) = model.graph.input, model.graph.output
    smaller = network.record.padding == "valid"
    for value, channels in ((image, network.record.in_channels), (logits, network.record.classes)):
        sides = [letter.lower() if smaller and value is logits else letter for letter in letters]
        del value.type.tensor_type.shape.dim[:]
        for side in ("B", channels, *sides):
            dim = value.type.tensor_type.shape.dim.add()
            if isinstance(side, int):
                dim.dim_value = side
            else:
                dim.dim_param = side
    model.graph.name = "maskwright"
    model.producer_name = "maskwright"
    model.producer_version = ""
    model.ir_version = IR
