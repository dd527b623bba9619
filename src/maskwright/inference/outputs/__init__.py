"""Outputs ‹open list›: the kinds of file that are written of a result."""

from maskwright.inference.outputs.registry import PARTS, Gathered, Output, outputs
from maskwright.inference.outputs.wanted import describe, wanted

__all__ = ["PARTS", "Gathered", "Output", "describe", "outputs", "wanted"]
