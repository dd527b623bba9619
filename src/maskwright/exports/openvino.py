"""OpenVINO: Intel's runtime for its processors, graphics and NPUs; fast on AMD's processors too."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maskwright.exports.describing import KEY, text_of
from maskwright.exports.int8 import in_int8
from maskwright.exports.registry import Options, Runner, exports
from maskwright.exports.whole import in_float32, whole_model
from maskwright.inference.ensemble import Ensemble
from maskwright.runtimes.openvino_core import openvino_core
from maskwright.runtimes.packages import demand


@exports.register("openvino")
class OpenVino:
    """The ONNX graph as OpenVINO's own format: `.xml`, with the weights in `.bin` beside it."""

    about: ClassVar[str] = "an .xml with its .bin, all steps inside; runs in OpenVINO, from Python, C++, C, JavaScript"
    suffix: ClassVar[str] = ".xml"
    packages: ClassVar[dict[str, str]] = {"openvino": "openvino", "onnx": "onnx"}
    knows_int8: ClassVar[bool] = True

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """Both files; the description stands in the runtime information under `maskwright`."""
        ov = demand("openvino", "openvino", "Exporting to openvino")
        core = in_int8(options.calibration) if options.calibration else in_float32
        aside = target.with_suffix(".onnx")
        aside.write_bytes(whole_model(model, core, taps=True).SerializeToString())
        converted = ov.convert_model(aside)
        converted.set_rt_info(text_of(model), [KEY])
        # 16-bit weights would be half as large and off by 1e-3.
        ov.save_model(converted, target, compress_to_fp16=False)
        aside.unlink()
        return target

    def open(self, path: Path, threads: int) -> Runner:
        """OpenVINO on the CPU, in 32 bit."""
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        compiled = openvino_core("Running an OpenVINO file").compile_model(str(path), "CPU", settings)

        def run(image_HWC: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
            found = compiled({"image": np.ascontiguousarray(image_HWC[None])})
            return np.array(found["labels"][0]), np.array(found["probabilities"][0])

        return run
