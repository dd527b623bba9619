import numpy as np
import pytest
import torch

from maskwright.records import IGNORED


@pytest.fixture(scope="session")
def batch():
    """Random logits B K H W and labels B H W, a fifth of them ignored, by seed."""

    def painted(seed, classes, channels=None, size=(2, 5, 4), ignored=0.2):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, size)
        labels[rng.random(size) < ignored] = IGNORED
        logits = rng.normal(size=(size[0], channels or classes, *size[1:])) * 3
        return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)

    return painted


@pytest.fixture(scope="session")
def shares():
    """Probabilities B K N and truth B K N in double precision, one list of the counted pixels for each image."""

    def of(logits, labels):
        images = []
        for z, t in zip(logits.double().numpy(), labels.numpy(), strict=True):
            z, t = z.reshape(len(z), -1), t.reshape(-1)
            z, t = z[:, t != IGNORED], t[t != IGNORED]
            if len(z) == 1:
                images.append((1 / (1 + np.exp(-z)), (t == 1)[None]))
            else:
                p = np.exp(z - z.max(0))
                images.append((p / p.sum(0), t == np.arange(len(z))[:, None]))
        return images

    return of


@pytest.fixture(scope="session")
def by_class(shares):
    """The mean of a loss of one class: over those that occur, then over images or for the batch as one."""

    def mean(of_one, logits, labels, per="batch", background=True, absent=False):
        images = shares(logits, labels)
        if per == "batch":
            images = [tuple(np.concatenate(parts, axis=1) for parts in zip(*images, strict=True))]
        means = []
        for p, t in images:
            kept = range(0 if background or len(p) == 1 else 1, len(p))
            found = [of_one(p[k], t[k].astype(float)) for k in kept if t[k].any() or (absent and t[k].size)]
            means += [np.mean(found)] if found else []
        return np.mean(means) if means else 0.0

    return mean
