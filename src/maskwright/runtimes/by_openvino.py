"""OpenVINO on the CPU."""

import io
import threading
from typing import Any, ClassVar

import torch
from torch import Tensor

from maskwright.devices import DeviceSettings, cores
from maskwright.model import UNet
from maskwright.runtimes.models import converted
from maskwright.runtimes.openvino_core import openvino_core
from maskwright.runtimes.packages import is_there
from maskwright.runtimes.registry import Compute, runtimes


@runtimes.register("openvino")
class OpenVino:
    """The network as OpenVINO computes it (https://docs.openvino.ai, Apache-2.0)."""

    about: ClassVar = "OpenVINO on the CPU (extra openvino)"
    accelerators: ClassVar = frozenset({"cpu"})
    extra: ClassVar = "openvino"
    start_seconds: ClassVar = 3.0
    saves: ClassVar = 0.35

    @staticmethod
    def is_there() -> bool:
        """Whether openvino, and onnx to write for it, are installed."""
        return is_there("openvino", "2024.5") and is_there("onnx", "1.17")

    @staticmethod
    def prepare(network: UNet, device: DeviceSettings) -> Compute:
        """The network, converted; from the disk if it was converted before."""
        return OpenVino.prepare_model(converted(network), device)

    @staticmethod
    def prepare_model(model: bytes, device: DeviceSettings) -> Compute:
        """The model compiled once, for images of any size."""
        core = openvino_core("The runtime openvino")
        compiled = core.compile_model(
            core.read_model(io.BytesIO(model)),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "f32",  # it would take bfloat16 where a processor has it
                "INFERENCE_NUM_THREADS": device.threads or cores(),
                # Several processes that each pin their threads to the first cores wait for one another.
                "ENABLE_CPU_PINNING": False,
            },
        )
        own = threading.local()  # a request serves one thread at a time

        def compute(images: Tensor) -> Tensor:
            if not hasattr(own, "request"):
                own.request = compiled.create_infer_request()
            given = images.detach().to("cpu", torch.float32).contiguous().numpy()
            found: dict[Any, Any] = own.request.infer({"image": given}, share_inputs=True)
            return torch.from_numpy(found["logits"])

        return compute
