"""Mean and standard deviation of pictures that are seen in parts."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Scaling = tuple[tuple[float, ...], tuple[float, ...]]
"""A mean and a standard deviation for each channel."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and sum of squared deviations of each channel, C float64, of the pixels seen so far.

    Parts are combined as by Chan, Golub and LeVeque 1983: nothing is lost to large means.
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def of(cls, values_NC: NDArray[Any]) -> Self:
        """Of these pixels; none are allowed."""
        values_NC = values_NC.astype(np.float64)
        if not len(values_NC):
            return cls(0, np.zeros(values_NC.shape[1]), np.zeros(values_NC.shape[1]))
        mean = values_NC.mean(0)
        return cls(len(values_NC), mean, ((values_NC - mean) ** 2).sum(0))

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        squares = self.squares + other.squares + apart**2 * (self.count * other.count / count)
        return Moments(count, mean, squares)

    @property
    def scaling(self) -> Scaling:
        """Mean and standard deviation, a number a channel."""
        return tuple(self.mean.tolist()), tuple(self.std.tolist())

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviation of each channel; 1 where it does not vary, so that it can be divided by."""
        std = np.sqrt(self.squares / max(1, self.count))
        return np.where(std > 1e-6 * np.maximum(1e-6, np.abs(self.mean)), std, 1.0)
