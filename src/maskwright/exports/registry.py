"""The open list of exports, and what each of them is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from maskwright.inference.ensemble import Ensemble
from maskwright.registry import Registry

Runner = Callable[[NDArray[Any]], tuple[NDArray[np.uint8], NDArray[np.float32]]]
"""Runs an export: an image H W C as it is stored → labels H W and probabilities K H W, at the image's own size."""


@dataclass(frozen=True, eq=False)
class Options:
    """What an export may need beside the model."""

    source: Path | None = None
    """The model file that is exported."""
    calibration: Sequence[NDArray[Any]] = ()
    """Images H W C as stored, to fit the ranges of 8-bit integers to; none: the export computes in float32."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What only its maker can say, by name: author, licence …; of those, each export takes what it knows."""


class Export(Protocol):
    """A kind of file, or folder, that other programs run a model from."""

    about: ClassVar[str]
    """One line for `--list` and the docs: what it is, and what runs it."""
    suffix: ClassVar[str]
    """What the model's name ends in, e.g. `.onnx`."""
    packages: ClassVar[dict[str, str]]
    """Optional packages that writing it needs → the extra of Maskwright that brings them."""
    knows_int8: ClassVar[bool]
    """Whether it can compute in 8-bit integers."""

    def write(self, model: Ensemble, target: Path, options: Options) -> Path:
        """Write the model, of one member or several, as `target`, into a folder that holds nothing else; files that
        belong to it may be written beside it. Returns its path.

        Raises:
            SettingError: this model has something that the export cannot hold; says what.
        """

    def open(self, path: Path, threads: int) -> Runner:
        """What runs the file with so many CPU threads, for its certificate."""


exports: Final = Registry[type[Export]]("export", "maskwright.exports")
"""By the name that is asked for, e.g. `onnx`."""
