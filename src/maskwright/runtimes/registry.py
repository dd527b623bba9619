"""The open list of runtimes."""

from collections.abc import Callable
from typing import ClassVar, Final, Protocol, runtime_checkable

from torch import Tensor

from maskwright.devices import DeviceSettings
from maskwright.model import UNet
from maskwright.registry import Registry

Compute = Callable[[Tensor], Tensor]
"""Images B C h w, float32, normalised, of a size that fits the network → logits B K h' w', float32: `UNet.logits`.

Any batch, any fitting size, from several threads at once. In three dimensions B C d h w."""


class Runtime(Protocol):
    """A way to compute a network. Its logits are those of `UNet.logits` but for the order of additions."""

    about: ClassVar[str]
    """One line for `--help` and the docs."""
    accelerators: ClassVar[frozenset[str]]
    """Kinds of device it works on: cpu, cuda, mps."""
    extra: ClassVar[str]
    """Of Maskwright's extras, the one that brings its package; empty: none is needed."""
    start_seconds: ClassVar[float]
    """About how long it takes to make ready: what a job must save before it is tried."""

    saves: ClassVar[float]
    """Share of torch's time that it has saved at most where it was measured (benchmarks/runtimes.py)."""

    @staticmethod
    def is_there() -> bool:
        """Whether what it needs is installed, and new enough."""

    @staticmethod
    def prepare(network: UNet, device: DeviceSettings) -> Compute:
        """The network, ready to compute; the network itself is not changed.

        Raises:
            SettingError: the package is not there, or cannot compute this network.
        """


@runtime_checkable
class ReadsOnnx(Protocol):
    """A runtime that computes ONNX models."""

    @staticmethod
    def prepare_model(model: bytes, device: DeviceSettings) -> Compute:
        """An ONNX model with the input `image` and the output `logits`, as `conversion` and `int8` make them."""


runtimes: Final = Registry[type[Runtime]]("runtime", "maskwright.runtimes")
"""By the name that `--runtime` is given."""
