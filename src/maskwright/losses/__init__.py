"""Losses: an open list. Each takes logits B K H W and labels B H W, and ignored pixels count in none of them.

Volumes are taken alike, B K D H W and B D H W. Adding a loss is adding a file here with a `LossRecord` that
`registry.losses.register` puts on the list; its fields are its options.
"""

from maskwright.losses.mixture import BorderSettings, LossSettings, Mixture, build
from maskwright.losses.registry import Loss, LossRecord, losses
from maskwright.losses.supervision import supervised

__all__ = ["BorderSettings", "Loss", "LossRecord", "LossSettings", "Mixture", "build", "losses", "supervised"]
