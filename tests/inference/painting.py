"""Predictors with random weights, and pictures for them."""

import numpy as np
import torch

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.preprocess import Preprocess
from maskwright.inference.predictor import Predictor
from maskwright.model import UNet
from maskwright.modelfile import Description, Model
from maskwright.plan import decide


def predictor(scale=1.0, channels=1, tiles=None, views=None, **network) -> Predictor:
    """A predictor with random weights and three classes of mask values 0, 10 and 20."""
    return Predictor(model(scale, channels, **network), device="cpu", tiles=tiles, views=views)


def model(scale=1.0, channels=1, seed=0, dtype="uint8", prepared=None, **network) -> Model:
    """A model with random weights and three classes. prepared: more settings of how images are prepared."""
    fingerprint = Fingerprint(
        train=1, val=0, test=0, channels=channels, dtype=dtype, smallest=(9, 9), median=(9, 9), largest=(9, 9),
        low=0, high=255, mean=(100.0,) * channels, std=(50.0,) * channels, classes=("a", "b", "c"),
        pixel_share=(0.5, 0.3, 0.2), image_share=(1, 1, 1), ignored_share=0,
    )  # fmt: skip
    torch.manual_seed(seed)
    shape = {"depth": 2, "base": 4, "init": "torch"} | network
    net = UNet(channels, shape.pop("classes", 3), **shape).eval()
    with torch.no_grad():  # a trained network's logits are of a few units
        net.head.weight.mul_(5)
    classes = [ClassLabel(name=n, values=(v,), colour=(v, v, v)) for n, v in zip("abc", (0, 10, 20), strict=True)]
    labels = Labels(classes=tuple(classes[: max(2, net.record.classes)]))
    mean, std = (100.0,) * channels, (50.0,) * channels
    preprocess = Preprocess(channels=channels, dtype=dtype, scale=scale, mean=mean, std=std, **(prepared or {}))
    plan = decide(fingerprint)
    about = Description(
        maskwright="0", network=net.record, preprocess=preprocess, labels=labels, plan=plan, fingerprint=fingerprint
    )
    return Model(net, about)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
