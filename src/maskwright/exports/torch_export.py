"""torch.export: PyTorch's own graph, for AOTInductor, ExecuTorch and whatever else compiles it."""

import json
import warnings
from pathlib import Path
from typing import Any, ClassVar

import torch

from maskwright.errors import SettingError
from maskwright.exports.describing import KEY, text_of
from maskwright.exports.module import Whole
from maskwright.exports.padding import padding
from maskwright.exports.registry import Options, Runner, exports
from maskwright.exports.torchscript import runner_of
from maskwright.inference.ensemble import Ensemble


@exports.register("torch-export")
class TorchExport:
    """An exported program of open batch and size. Its graph asks no questions, so sides from `smallest` on."""

    about: ClassVar[str] = "PyTorch's own graph (.pt2) with all steps inside; for AOTInductor, ExecuTorch and others"
    suffix: ClassVar[str] = ".pt2"
    packages: ClassVar[dict[str, str]] = {}
    knows_int8: ClassVar[bool] = False

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """The file."""
        about = model.description.preprocess
        side = 4 * smallest(model)
        example = torch.zeros(2, side, side + smallest(model), about.channels).to(getattr(torch, about.dtype))
        open_sides = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO}
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(Whole(model), (example,), dynamic_shapes=(open_sides,))
            torch.export.save(program, target, extra_files={KEY: text_of(model)})
        return target

    def open(self, path: Path, threads: int) -> Runner:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return runner_of(torch.export.load(path).module())
