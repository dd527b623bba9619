"""TorchScript: one file that PyTorch runs without Maskwright, from Python and from C++ (libtorch)."""

import json
import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from maskwright.errors import SettingError
from maskwright.exports.describing import KEY, text_of
from maskwright.exports.module import Logits, Ways, Whole
from maskwright.exports.registry import Options, Runner, exports
from maskwright.inference.ensemble import Ensemble
from maskwright.modelfile import Model
from maskwright.runtimes.folding import example_shape


@exports.register("torchscript")
class TorchScript:
    """The networks traced, what is around them scripted; the description as the extra file `maskwright`."""

    about: ClassVar[str] = "one file with all steps inside; PyTorch and libtorch (C++) run it without Maskwright"
    suffix: ClassVar[str] = ".torchscript.pt"
    packages: ClassVar[dict[str, str]] = {}
    knows_int8: ClassVar[bool] = False

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """The file."""
        jit: Any = torch.jit
        with warnings.catch_warnings(), torch.no_grad():
            # That a trace may hold for one size only is what the certificate looks at.
            warnings.simplefilter("ignore")
            try:
                scripted = jit.script(Whole(model, traced))
            except (RuntimeError, TypeError) as error:
                raise SettingError(f"TorchScript cannot hold this model: {str(error).splitlines()[0]}") from error
            jit.save(scripted, str(target), _extra_files={KEY: text_of(model)})
        return target

    def open(self, path: Path, threads: int) -> Runner:
        """PyTorch on the CPU, in this process: with the threads it has."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jit: Any = torch.jit
            return runner_of(jit.load(str(path)))


def description_of(path: Path) -> dict[str, Any]:
    """What such a file says of itself."""
    found = {KEY: ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jit: Any = torch.jit
        jit.load(str(path), _extra_files=found)
    described: dict[str, Any] = json.loads(found[KEY])
    return described


def runner_of(module: Any) -> Runner:
    """Runs a module like `module.Whole`."""

    @torch.inference_mode()
    def run(image_HWC: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        labels, probabilities = module(torch.from_numpy(np.array(image_HWC[None])))
        return labels[0].numpy(), probabilities[0].numpy()

    return run


def traced(model: Model, ways: Ways) -> nn.Module:
    """`module.Logits` as TorchScript."""
    logits = Logits(model, ways)
    jit: Any = torch.jit
    found: nn.Module = jit.trace(logits, torch.zeros(example_shape(logits.network, 2, 1)), check_trace=False)
    return found
