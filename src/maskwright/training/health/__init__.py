"""The health of a training: what goes wrong while it runs, by named cause, with numbers and a remedy one can type.

An open list of causes; adding one is adding a file here. The monitor gathers what they look at.
"""

from maskwright.training.health.journal import HealthRow, read_health
from maskwright.training.health.registry import Cause, Finding, causes, table
from maskwright.training.health.seen import Seen, Setup

__all__ = ["Cause", "Finding", "HealthRow", "Seen", "Setup", "causes", "read_health", "table"]
