"""Runtimes ‹open list›: ways to compute a network, which give the same logits.

`prepare("auto", network, device=…)` gives the fastest that is there. `conversion.onnx_model` and `int8.quantised` make
models that others run.
"""

from maskwright.runtimes.choice import Prepared, prepare
from maskwright.runtimes.registry import Compute, ReadsOnnx, Runtime, runtimes

__all__ = ["Compute", "Prepared", "ReadsOnnx", "Runtime", "prepare", "runtimes"]
