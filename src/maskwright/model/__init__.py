"""The network family: one record, one U-Net, and what follows from the record alone (sizes, field of view, cost)."""

from maskwright.model.record import UNetRecord
from maskwright.model.unet import UNet

__all__ = ["UNet", "UNetRecord"]
