"""The doctor: what is wrong with a data set, or looks so, worst first, each with its remedy.

An open list of checks; adding one is adding a file here.
"""

from maskwright.data.doctor.fixing import mended
from maskwright.data.doctor.registry import Check, Finding, checks, diagnose

__all__ = ["Check", "Finding", "checks", "diagnose", "mended"]
