"""Maskwright: a folder of images and masks becomes a U-Net one can trust, and that model masks for any image.

>>> import maskwright
>>> run = maskwright.train("data/samples", minutes=2)  # doctest: +SKIP
>>> maskwright.predict(run.model, "photo.png").mask  # doctest: +SKIP
"""

import os as _os
from typing import TYPE_CHECKING, Any

from maskwright._version import __version__

if TYPE_CHECKING:
    from maskwright.api import build, diagnose, evaluate, inspect, load, plan, predict, train
    from maskwright.model import UNet, UNetRecord

__all__ = [
    "UNet", "UNetRecord", "__version__", "build", "diagnose", "evaluate", "inspect", "load", "plan", "predict", "train",
]  # fmt: skip

# OpenMP threads that spin while they wait take the other threads' cores: on a machine shared with anything else a
# step was seen to take 5 to 30 times as long. Read when torch is first imported; what the user has set stays.
_os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    # Everything below imports torch, which takes seconds; so it waits until it is asked for.
    if name in {"UNet", "UNetRecord"}:
        from maskwright import model

        return getattr(model, name)
    if name in __all__:
        from maskwright import api

        return getattr(api, name)
    raise AttributeError(f"module 'maskwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
