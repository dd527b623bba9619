"""Encoders: an open list. `plain` builds the record's own blocks; any other name is a timm model."""

from maskwright.model.encoders.registry import Encoder, build, load_weights

__all__ = ["Encoder", "build", "load_weights"]
