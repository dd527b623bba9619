"""What a fresh network says before it has learned anything: each class is as likely as the training images show it.

Its heads start near zero. With equal biases the first thing to be learned is that one class is rare, and a rule whose
steps are of one size, as Muon's and Adam's are, turns every weight of the head against it; on nuclei it took more steps
than there were to come back (EXPERIMENTS.md). Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv 1708.02002,
start a rare class at its share for the same reason.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from maskwright.data.cache import Cache
from maskwright.model import UNet
from maskwright.records import IGNORED

IMAGES: Final = 64
"""So many, evenly spread, are looked at."""
LEAST: Final = 0.01
"""The rarest class starts no rarer, so that its pixels count from the first step; Lin et al.'s."""


def shares_of(train: Cache, outputs: int) -> NDArray[np.float64]:
    """The share of the pixels that each of the network's outputs should claim, K; they add up to 1."""
    counts = np.zeros(outputs, np.int64)
    for i in np.unique(np.linspace(0, len(train) - 1, IMAGES).round().astype(int)).tolist():
        counts += np.bincount(train.labels(i).ravel(), minlength=IGNORED + 1)[:outputs]
    return counts / counts.sum() if counts.any() else np.full(outputs, 1 / outputs)


def begin_with(network: UNet, shares_K: NDArray[np.float64], weights: Sequence[float] | None = None) -> None:
    """Set the heads' biases, such that at first every pixel is of each class with this probability.

    weights: one number a class, where the loss counts their pixels so. Another number of them is left to the loss,
        which tells it.
    """
    counted_K = shares_K * (np.asarray(weights) if weights is not None and len(weights) == len(shares_K) else 1)
    total = counted_K.sum() or 1  # 0: none of the classes that are shown counts
    logits_K = np.log(np.maximum(counted_K / total, LEAST))
    logits_K = logits_K[1:] - logits_K[:1] if network.record.classes == 1 else logits_K - logits_K.mean()
    heads: list[nn.Module] = [network.head, *network.side_heads]
    for head in heads:
        if isinstance(head.bias, nn.Parameter):
            with torch.no_grad():
                head.bias.copy_(torch.from_numpy(logits_K))
