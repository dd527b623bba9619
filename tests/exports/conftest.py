"""Small models with random weights, of every kind that an export must hold."""

import numpy as np
import pytest
import torch

from maskwright import modelfile
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.preprocess import Preprocess
from maskwright.files import MaskStyle
from maskwright.inference import Predictor
from maskwright.inference.ensemble import joined
from maskwright.model import UNet
from maskwright.modelfile import Description, Model
from maskwright.plan import decide
from maskwright.tiling import Tiles

NAMES, VALUES = ("ground", "cell", "edge"), (0, 10, 200)
HIGHEST = {"uint8": 255, "uint16": 65535, "float32": 1}


def model(seed=0, *, channels=1, dtype="uint8", classes=3, style=None, values=VALUES, objects=None, **settings):
    """One model. settings: of its preprocessing and of its network."""
    preparing = {name: settings.pop(name) for name in ("scale", "size", "interpolation") if name in settings}
    high = HIGHEST[dtype]
    mean, std = (high * 0.4,) * channels, (high * 0.2,) * channels
    seen = Fingerprint(
        train=1, val=0, test=0, channels=channels, dtype=dtype, smallest=(9, 9), median=(9, 9), largest=(9, 9),
        low=0, high=high, mean=mean, std=std, classes=NAMES, pixel_share=(0.5, 0.3, 0.2), image_share=(1, 1, 1),
        ignored_share=0,
    )  # fmt: skip
    torch.manual_seed(seed)
    network = UNet(
        channels, classes + (objects is not None), **{"depth": 2, "base": 4, "init": "torch", **settings}
    ).eval()
    with torch.no_grad():
        network.head.weight.mul_(6)  # so that the classes are far apart
    kinds = [ClassLabel(name=n, values=(v,), colour=(v, v, v)) for n, v in zip(NAMES, values, strict=True)]
    about = Description(
        maskwright="0",
        network=network.record,
        preprocess=Preprocess(channels=channels, dtype=dtype, mean=mean, std=std, **preparing),
        labels=Labels(classes=tuple(kinds[: max(2, classes)]), style=style or MaskStyle()).learning(objects),
        plan=decide(seen),
        fingerprint=seen,
        provenance={"data": "painted"},
    )
    return Model(network, about)


def noise(dtype, *shape, seed=0):
    """An image H W C of random values over the whole range."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.random(shape, np.float32)
    return rng.integers(0, HIGHEST[dtype] + 1, shape).astype(dtype)


def ours(ensemble, image):
    """What the predictor says of the image, seen whole: labels and probabilities."""
    said = Predictor(ensemble, device="cpu", tiles=Tiles(window=(4096, 4096)))(image, probabilities=True)
    return said.labels, said.probabilities


def agree(ensemble, run, image, atol=2e-5):
    """The export says of the image what the predictor says; classes that are as good as equally likely may change."""
    labels, probabilities = ours(ensemble, image)
    found, shares = run(image)
    assert (found.dtype, shares.dtype) == (np.uint8, np.float32)
    np.testing.assert_allclose(shares, probabilities, atol=atol)
    first, second = np.sort(probabilities, axis=0)[[-1, -2]]
    assert (found == labels)[first - second > 2 * atol].all()


@pytest.fixture
def saved(tmp_path):
    """Writes a model file."""

    def write(name="model.safetensors", **settings):
        one = model(**settings)
        path = tmp_path / name
        channels = one.description.preprocess.channels
        return modelfile.save(path, one.network.state_dict(), one.description, torch.randn(channels, 16, 16))

    return write


@pytest.fixture
def alone():
    """A small model as an ensemble of one."""
    return joined([model()])


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """What is timed is small, and once is enough."""
    monkeypatch.setattr("maskwright.exports.making.TIMED", 16)
    monkeypatch.setattr("maskwright.exports.checking.ROUNDS", 1)
