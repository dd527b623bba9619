"""ONNX Runtime on the CPU."""

from typing import ClassVar

import torch
from torch import Tensor

from maskwright.devices import DeviceSettings, cores
from maskwright.model import UNet
from maskwright.runtimes.models import converted
from maskwright.runtimes.packages import demand, is_there
from maskwright.runtimes.registry import Compute, runtimes

QUIET = 3
"""Errors only: the rest of what it says is for its own developers."""


@runtimes.register("onnxruntime")
class OnnxRuntime:
    """The network as ONNX Runtime computes it (https://onnxruntime.ai, MIT)."""

    about: ClassVar = "ONNX Runtime on the CPU (extra onnx)"
    accelerators: ClassVar = frozenset({"cpu"})
    extra: ClassVar = "onnx"
    start_seconds: ClassVar = 2.0
    saves: ClassVar = 0.35

    @staticmethod
    def is_there() -> bool:
        """Whether onnxruntime, and onnx to write for it, are installed."""
        return is_there("onnxruntime", "1.20") and is_there("onnx", "1.17")

    @staticmethod
    def prepare(network: UNet, device: DeviceSettings) -> Compute:
        """The network, converted; from the disk if it was converted before."""
        return OnnxRuntime.prepare_model(converted(network), device)

    @staticmethod
    def prepare_model(model: bytes, device: DeviceSettings) -> Compute:
        """A session of its own for the model."""
        ort = demand("onnxruntime", "onnx", "The runtime onnxruntime")
        options = ort.SessionOptions()
        options.intra_op_num_threads = device.threads or cores()
        options.inter_op_num_threads = 1  # the layers of a U-Net follow one another
        options.log_severity_level = QUIET
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

        def compute(images: Tensor) -> Tensor:
            given = images.detach().to("cpu", torch.float32).contiguous().numpy()
            return torch.from_numpy(session.run(["logits"], {"image": given})[0])

        return compute
