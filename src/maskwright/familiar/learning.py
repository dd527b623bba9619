"""Looking at the images of a training, so that others can be told from them later."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.augment import Augment
from maskwright.data.preprocess import Preprocess
from maskwright.familiar.measuring import Floats, Measures, measure
from maskwright.familiar.record import Familiar, Neighbours
from maskwright.files import Scene
from maskwright.files.stored import Header
from maskwright.model import UNet

FEWEST: Final = 4
"""Training images below which nothing can be said of what is usual."""
TRAINED_ON: Final = 64
HELD_OUT: Final = 32
"""Images that are looked at, at most."""
EVERY: Final = 2
"""Each second image is looked at in another light too."""
FLOOR: Final = 0.05
"""Spread that each number has at least: in standard deviations of the training images, in logarithms of a share of the
power, and for features in their spread over all channels and images."""


@dataclass(frozen=True, eq=False)
class _Seen:
    header: Header
    measures: Measures
    relit: Measures | None
    """The same image in another light, of some."""


def learn(
    network: UNet,
    preprocess: Preprocess,
    trained_on: Iterable[Scene],
    held_out: Iterable[Scene] = (),
    augment: Augment | None = None,
) -> Familiar | None:
    """What images look like to a network in evaluation mode; None where fewer than four hold data.

    trained_on, held_out: as many as should be looked at; `some` chooses.
    augment: how far brightness and contrast were changed in training: so far they are not strange.
    """
    light = augment if augment and (augment.brightness or augment.contrast) else None
    known = _seen(network, preprocess, trained_on, light)
    others = _seen(network, preprocess, held_out, light)
    if len(known) < FEWEST:
        return None
    every = known + others
    sides = np.array([[seen.header.height, seen.header.width] for seen in every])
    smallest, largest = sides.min(axis=0).tolist(), sides.max(axis=0).tolist()
    return Familiar(
        images=len(known),
        held_out=len(others),
        channels=tuple(sorted({seen.header.channels for seen in every})),
        dtype=preprocess.dtype,
        smallest=(smallest[0], smallest[1]),
        largest=(largest[0], largest[1]),
        mean=_ranges([seen.measures.mean for seen in every]),
        std=_ranges([seen.measures.std for seen in every]),
        clipped=round(max(seen.measures.clipped for seen in every), 4),
        **{kind: _neighbours(kind, known, others) for kind in ("values", "octaves", "content")},
    )


def some(length: int, most: int) -> list[int]:
    """Which of so many are looked at: evenly spread, as neighbours in a list are often alike."""
    return sorted({round(i) for i in np.linspace(0, length - 1, min(length, most))}) if length else []


def _seen(network: UNet, preprocess: Preprocess, scenes: Iterable[Scene], light: Augment | None) -> list[_Seen]:
    found = []
    for (n, scene), (up, more) in zip(enumerate(scenes), cycle(product((-1, 1), repeat=2))):
        if (measures := measure(scene, network, preprocess)) is None:
            continue
        relit = None
        if light is not None and n % EVERY == 0:
            changed = _Relit(scene, preprocess, up * light.brightness, 1 + more * light.contrast)
            relit = measure(changed, network, preprocess)
        found.append(_Seen(scene.header, measures, relit))
    return found


class _Relit:
    """A scene in another light: shift in standard deviations of the training images, gain about their mean."""

    def __init__(self, scene: Scene, preprocess: Preprocess, shift: float, gain: float):
        self._scene, self._preprocess, self._shift, self._gain = scene, preprocess, shift, gain
        self.header, self.georeference = scene.header, scene.georeference

    def read(self, rows: slice, columns: slice) -> NDArray[Any]:
        return self.read_valid(rows, columns)[0]

    def read_valid(self, rows: slice, columns: slice) -> tuple[NDArray[Any], NDArray[Any] | None]:
        image_hwC, valid_hw = self._scene.read_valid(rows, columns)
        mean, std = np.mean(self._preprocess.mean), np.mean(self._preprocess.std)
        changed = (image_hwC.astype(np.float64) - mean) * self._gain + mean + self._shift * std
        if image_hwC.dtype.kind == "u":
            changed = np.rint(changed).clip(0, np.iinfo(image_hwC.dtype).max)
        return changed.astype(image_hwC.dtype), valid_hw


def _neighbours(kind: str, known: Sequence[_Seen], held_out: Sequence[_Seen]) -> Neighbours:
    points_ND = np.array([getattr(seen.measures, kind) for seen in known])
    others: list[tuple[Floats, int | None]] = [(getattr(seen.measures, kind), None) for seen in held_out]
    relit: list[tuple[int | None, _Seen]] = [*enumerate(known), *((None, seen) for seen in held_out)]
    others += [(getattr(seen.relit, kind), i) for i, seen in relit if seen.relit is not None]
    # Values and octaves have units; features are of any size.
    floor = FLOOR * max(float(points_ND.std()), 1e-6) if kind == "content" else FLOOR
    return Neighbours.of(points_ND, others, floor)


def _ranges(rows: Sequence[tuple[float, ...]]) -> tuple[tuple[float, float], ...]:
    columns = zip(*rows, strict=True)
    return tuple((round(min(column), 4), round(max(column), 4)) for column in columns)
