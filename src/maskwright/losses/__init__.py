"""Losses: an open list. Each takes logits B K H W and labels B H W, and ignored pixels count in none of them.

Adding a loss is adding a file here with a class that `registry.losses.register` puts on the list.
"""

from maskwright.losses.mixture import LossSettings, build
from maskwright.losses.registry import Loss, losses

__all__ = ["Loss", "LossSettings", "build", "losses"]
