"""Clean-up: an open list of steps that mend a plane of labels after the network, and the record of which are taken."""

from maskwright.regions.clean_up.record import CleanUp, CleanUpStep
from maskwright.regions.clean_up.registry import Step, Task, steps

__all__ = ["CleanUp", "CleanUpStep", "Step", "Task", "steps"]
