"""torch.export: PyTorch's own graph, for AOTInductor, ExecuTorch and whatever else compiles it."""

import importlib
import warnings
from pathlib import Path
from typing import Any, ClassVar, Final

import torch

from maskwright.errors import SettingError
from maskwright.exports.describing import KEY, text_of
from maskwright.exports.module import Whole, ratio
from maskwright.exports.registry import Options, Runner, exports
from maskwright.exports.torchscript import runner_of
from maskwright.inference.ensemble import Ensemble
from maskwright.inference.looks import looks_of

guards: Any = importlib.import_module("torch.fx.experimental._config")  # mypy does not see all that is in it

EXAMPLE: Final = (160, 192)
"""Height and width of the image that the graph is made with; it holds for any."""
ANY_SIZE: Final = {
    # Otherwise the graph takes for granted that no map in it is a single pixel high or wide, and refuses images up to a
    # stride of the network. Not every version of torch that we run with knows it; 2.13 and 2.15 do.
    name: True
    for name in ("backed_size_oblivious",)
    if hasattr(guards, name)
}


@exports.register("torch-export")
class TorchExport:
    """An exported program of open batch and size; the description is the extra file `maskwright`.

    torch.export keeps one answer for every size. Where it still asks, whether the image is a single pixel and whether
    it becomes one pixel wide when it is resized, the answer is no; such images are refused.
    """

    about: ClassVar[str] = "PyTorch's own graph (.pt2) with all steps inside; for AOTInductor, ExecuTorch and others"
    suffix: ClassVar[str] = ".pt2"
    packages: ClassVar[dict[str, str]] = {}
    knows_int8: ClassVar[bool] = False

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """The file."""
        for look in looks_of(model.members):
            if look.preprocess.size is None and ratio(look.preprocess)[0] == 0:
                raise SettingError(
                    f"torch.export works out sizes in whole numbers, and the scale {look.preprocess.scale:.6g} is no "
                    "fraction that gives the working size of every image. Take another, such as 0.75 or 1.25, in the "
                    "plan or with --scales, or export to onnx, openvino or torchscript."
                )
        about = model.description.preprocess
        example = torch.zeros(2, *EXAMPLE, about.channels).to(getattr(torch, about.dtype))
        auto: Any = torch.export.Dim.AUTO
        with warnings.catch_warnings(), guards.patch(ANY_SIZE), torch.no_grad():
            warnings.simplefilter("ignore")
            try:
                program = torch.export.export(Whole(model), (example,), dynamic_shapes=({0: auto, 1: auto, 2: auto},))
            except RuntimeError as error:  # of the many that torch raises here, all are
                raise SettingError(f"torch.export cannot hold this model: {str(error).splitlines()[0]}") from error
            torch.export.save(program, target, extra_files={KEY: text_of(model)})
        return target

    def open(self, path: Path, threads: int) -> Runner:
        """PyTorch on the CPU, in this process: with the threads it has."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return runner_of(torch.export.load(path).module())
