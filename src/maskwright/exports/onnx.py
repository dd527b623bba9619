"""ONNX: what ONNX Runtime, OpenVINO, TensorRT, Windows ML and others read."""

import shutil
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.exports.describing import KEY, text_of
from maskwright.exports.int8 import in_int8
from maskwright.exports.registry import Options, Runner, exports
from maskwright.exports.whole import in_float32, whole_model
from maskwright.inference.ensemble import Ensemble
from maskwright.runtimes.packages import demand

SCRIPT: Final = Path(__file__).with_name("scripts") / "runner.py"


@exports.register("onnx")
class Onnx:
    """One file with everything inside, and a script beside it that runs it with NumPy and ONNX Runtime alone."""

    about: ClassVar[str] = (
        "one file with all steps inside; runs in ONNX Runtime, from Python, C++, C#, Java, JavaScript"
    )
    suffix: ClassVar[str] = ".onnx"
    packages: ClassVar[dict[str, str]] = {"onnx": "onnx", "onnxruntime": "onnx"}
    knows_int8: ClassVar[bool] = True

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """The file, and `runner.py` beside it."""
        whole = whole_model(model, in_int8(options.calibration) if options.calibration else in_float32)
        entry = whole.metadata_props.add()
        entry.key, entry.value = KEY, text_of(model)
        target.write_bytes(whole.SerializeToString())
        shutil.copyfile(SCRIPT, target.with_name(SCRIPT.name))
        return target

    def open(self, path: Path, threads: int) -> Runner:
        """ONNX Runtime on the CPU."""
        ort = demand("onnxruntime", "onnx", "Running an ONNX file")
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = threads
        session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])

        def run(image_HWC: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
            labels, probabilities = session.run(["labels", "probabilities"], {"image": image_HWC[None]})
            return labels[0], probabilities[0]

        return run
