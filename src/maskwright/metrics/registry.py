"""The open list of scores that each class has."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from maskwright.registry import Registry

Confusion = NDArray[np.int64]
"""Pixels by true class (rows) and predicted class (columns), K × K."""

ClassMetric = Callable[[Confusion], NDArray[np.float64]]
"""Confusion matrix → one score a class, 0 … 1, NaN for a class that does not occur."""

class_metrics: Registry[ClassMetric] = Registry("metric", "maskwright.metrics")
