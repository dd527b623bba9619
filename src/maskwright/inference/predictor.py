"""The predictor: one model or several, any image; the answer comes back in the image's own size."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maskwright.anysize import image_logits
from maskwright.data.labels import Labels
from maskwright.devices import DeviceSettings, choose
from maskwright.errors import SettingError
from maskwright.files import MemoryPlane, Scene
from maskwright.inference import ensemble, streaming
from maskwright.inference.ensemble import Ensemble
from maskwright.inference.looks import Look, looks_of
from maskwright.inference.opening import Image, decoded, opened
from maskwright.inference.parting import settle
from maskwright.inference.streaming import Band, Voice
from maskwright.model import UNet
from maskwright.modelfile import Model
from maskwright.runtimes import Prepared, prepare
from maskwright.tiling import Cost, Tiles, Views


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image."""

    labels: NDArray[np.uint8]
    """H W, the most probable label of each pixel; `IGNORED` where the image holds no data. What the network learned of
    objects of several classes has the class of its object."""
    probabilities: NDArray[np.float32] | None
    """K H W, if they were asked for; over the classes they add up to 1, and are 0 where the image holds no data."""
    classes: Labels
    marked: NDArray[np.uint8] | None = None
    """H W, the labels with one of `classes.marks` where the network sees what it learned of objects; None where it
    learned nothing of them."""

    @property
    def mask(self) -> NDArray[Any]:
        """H W, the values that the training masks use."""
        return self.classes.decode(self.labels)


Source = str | Path | Model | Ensemble
"""A model file, which may hold several models, or what was read from one."""


class Predictor:
    """Predicts images with one model on one device, or with several: the mean of their probabilities then. Threads may
    share one.

    tiles: how large images are cut; window: only how large windows are, a side; None: as each model's plan says.
    views: the ways in which each image is looked at; None: those of each model's plan.
    runtime: what computes the networks, `torch`, `onnxruntime` …; `auto`: what is measured to be the fastest here.
    work: windows that are to be predicted in all, if that is known: a short job is not worth measuring for.

    >>> predictor = Predictor("runs/cells/model.safetensors")  # doctest: +SKIP
    >>> prediction = predictor("photo.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Source | Sequence[Source],
        *,
        device: str = "auto",
        tiles: Tiles | None = None,
        views: Views | None = None,
        window: int | None = None,
        runtime: str = "torch",
        work: int | None = None,
    ):
        self.device: DeviceSettings = choose(device)
        found = _opened(model)
        self.members = [member.to(self.device.name) for member in found.members]
        self.description = found.description
        if window is not None:
            tiles = (tiles or self.description.plan.tiles).with_settings({"window": (window, window)})
        self.tiles = tiles or self.description.plan.tiles
        self.prepared = tuple(_prepared(member, runtime, self.device, tiles, work) for member in self.members)
        self.voices = [
            _voice(look, self.members[look.member], self.prepared[look.member], tiles)
            for look in looks_of(self.members, views)
        ]

    @property
    def model(self) -> Model:
        """The model, if there is one.

        Raises:
            SettingError: there are several.
        """
        if len(self.members) > 1:
            raise SettingError(
                f"This predictor has {len(self.members)} models, whose probabilities are averaged; no single one, and "
                "no logits. Look at its members, or ask it for probabilities."
            )
        return self.members[0]

    @property
    def network(self) -> UNet:
        """The network, if there is one model.

        Raises:
            SettingError: there are several.
        """
        return self.model.network

    def __call__(self, image: Image, *, probabilities: bool = False) -> Prediction:
        """The prediction for an image: a file, an array H W or H W C as it would be read from one, a picture of
        Pillow's, a tensor H W or C H W, or a scene.

        Raises:
            ReadError, DataError: the file does not open; channels or kind of value are not the model's.
        """
        with opened(image) as (scene, file):
            return self._collected(scene, file, probabilities)

    def stream(self, scene: Image, *, start: int = 0) -> Iterator[Band]:
        """The same prediction in bands from top to bottom, with no more in memory than a window is high.

        A large image's bands do not reach from side to side: then several of the same rows follow each other from left
        to right.

        A pixel of what was learned of objects of several classes has the class that the network gives second: which
        object it goes to is known when all is seen.

        start: a row. The first bands begin with it and reach from side to side again. If it is the `rows.start` of a
        band of another run, those are that band and all that followed the first of its rows, bit for bit.

        Raises:
            ReadError, DataError: as for a call.
            SettingError: the image has no such row.
        """
        with (
            opened(scene) as (one, file),
            closing(
                streaming.stream(self.voices, one, file, self.device.name, self.description.labels, start)
            ) as bands,
        ):
            yield from bands

    def map(self, images: Iterable[Image], *, probabilities: bool = False) -> Iterator[Prediction]:
        """The prediction of each image, in order; the next file is read while one is computed.

        Raises:
            ReadError, DataError: as for a call, when the turn of that image has come.
        """
        with ThreadPoolExecutor(1) as pool:
            waiting = None
            for image in images:
                following = pool.submit(decoded, image)
                if waiting is not None:
                    with opened(waiting.result()) as (scene, file):
                        yield self._collected(scene, file, probabilities)
                waiting = following
            if waiting is not None:
                with opened(waiting.result()) as (scene, file):
                    yield self._collected(scene, file, probabilities)

    def _collected(self, scene: Scene, file: object, probabilities: bool) -> Prediction:
        classes, size = self.description.labels, (scene.header.height, scene.header.width)
        labels = np.empty(size, np.uint8)
        marked = np.empty(size, np.uint8) if classes.objects else None
        kept = np.empty((classes.count, *size), np.float32) if probabilities else None
        for band in streaming.stream(self.voices, scene, file, self.device.name, classes):
            here = band.rows, band.columns
            labels[here] = band.labels
            if marked is not None and band.marked is not None:
                marked[here] = band.marked
            if kept is not None:
                kept[:, *here] = band.probabilities
        if marked is not None and settle(MemoryPlane(marked), classes, self.description.plan.objects):
            labels = classes.of_classes(marked)
        return Prediction(labels, kept, classes, marked)

    def cost(self, height: int, width: int) -> Cost:
        """What an image of that size costs: pixels computed over pixels wanted, of all members and views."""
        first, *others = (voice.cost((height, width)) for voice in self.voices)
        return sum(others, first)

    def logits(self, image_HWC: NDArray[Any], file: object = "the image") -> Tensor:
        """Logits at working size, K h w float32, of the image looked at as it is.

        Raises:
            SettingError: there are several models, whose mean is of probabilities.
        """
        image = self.model.description.preprocess(image_HWC, file).to(self.device.name)
        return image_logits(self.network, image, self.tiles)


def _voice(look: Look, member: Model, network: Prepared, tiles: Tiles | None) -> Voice:
    about = member.description
    return Voice(network, about.network, look.preprocess, tiles or about.plan.tiles, look.ways, look.weight)


def _prepared(member: Model, runtime: str, device: DeviceSettings, tiles: Tiles | None, work: int | None) -> Prepared:
    """What computes a member: a function from images B C h w to logits B K h' w', whose size fits the network."""
    tiles = tiles or member.description.plan.tiles
    # In full precision: a mask should not hang on the device it was made on.
    full = device.model_copy(update={"precision": "32-true"})
    return prepare(runtime, member.network.eval(), device=full, window=tiles.window, batch=tiles.batch, work=work)


def _opened(model: Source | Sequence[Source]) -> Ensemble:
    several = [model] if isinstance(model, str | Path | Model | Ensemble) else list(model)
    names = [str(one) if isinstance(one, str | Path) else f"model {n}" for n, one in enumerate(several, start=1)]
    opened = [ensemble.load(one) if isinstance(one, str | Path) else one for one in several]
    return ensemble.joined(opened, names)
