"""Exports ‹open list›: a model as a file that other programs run, each checked against PyTorch."""

from maskwright.exports.certificate import Certificate
from maskwright.exports.checking import Case
from maskwright.exports.making import made, ready
from maskwright.exports.registry import Export, Options, Runner, exports

__all__ = ["Case", "Certificate", "Export", "Options", "Runner", "exports", "made", "ready"]
