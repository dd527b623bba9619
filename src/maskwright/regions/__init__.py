"""Regions: what hangs together in a plane of labels. Pieces, objects that touch and come apart, their measures and
outlines; by windows, so that the plane need not fit into memory.
"""

from maskwright.regions.components import components
from maskwright.regions.measurements import Table, measured
from maskwright.regions.objects import Objects
from maskwright.regions.scratch import Scratch, in_memory

__all__ = ["Objects", "Scratch", "Table", "components", "in_memory", "measured"]
