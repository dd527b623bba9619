"""Outputs ‹open list›: the kinds of file that are written of a result."""

from maskwright.inference.outputs.registry import Output, outputs

__all__ = ["Output", "outputs"]
