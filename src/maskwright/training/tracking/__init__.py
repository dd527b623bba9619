"""Tracking: a training is told to TensorBoard, MLflow, Weights & Biases, or whatever else is on the list.

An open list of trackers; adding one is adding a file here. Nothing is imported, and nothing sent, of one that nobody
asked for.
"""

from maskwright.training.tracking.registry import Results, Row, TrackedRun, Tracker, trackers
from maskwright.training.tracking.tracking import Tracking, begin, demand, named

__all__ = ["Results", "Row", "TrackedRun", "Tracker", "Tracking", "begin", "demand", "named", "trackers"]
