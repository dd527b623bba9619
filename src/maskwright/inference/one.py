"""One image, from a scene to what was found in it: in bands, into planes that need not fit into memory."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from maskwright._version import __version__
from maskwright.data.labels import Labels
from maskwright.data.learned_objects import ObjectSettings
from maskwright.files import Origin, Plane, Scene
from maskwright.inference.outputs import Output
from maskwright.inference.outputs.registry import OBJECTS, PROBABILITIES, THINGS
from maskwright.inference.parting import objects_in, settle
from maskwright.inference.predictor import Predictor
from maskwright.inference.result import Result
from maskwright.inference.working import Working
from maskwright.regions.clean_up import CleanUp
from maskwright.regions.scratch import bands

EVERY: Final = 10.0
"""Seconds after which what is predicted of a large image is marked as done."""


Guard = Literal["warn", "strict", "off"]
"""Whether images unlike the training images are told, refused, or not looked at."""


NOTHING: Final = CleanUp()


class StoppedError(Exception):
    """The work on an image was stopped from outside; what was done of it is marked."""


@dataclass(frozen=True)
class Asked:
    """What is to be made of each image."""

    outputs: Mapping[str, Output]
    """By the names they are asked for by."""
    objects: ObjectSettings | None
    """How objects that touch are taken apart; None: connected pieces are objects."""
    clean_up: CleanUp = NOTHING
    """What is mended in the labels before anything else is made of them."""
    guard: Guard = "warn"
    """What is done about an image that is unlike the training images."""

    def bytes_of(self, pixels: int, classes: Labels) -> int:
        """Bytes of the planes of an image."""
        settled = self.objects is not None and self.objects.learned is not None and len(classes.marks) > 1
        numbers = 4 * (self.with_objects or settled)
        return pixels * (1 + 4 * classes.count * self.needs(PROBABILITIES) + numbers)

    @property
    def with_objects(self) -> bool:
        """Whether objects are looked for: where they are asked for, or are to come apart in what shows them."""
        return self.needs(OBJECTS) or (self.objects is not None and self.needs(THINGS))

    def needs(self, what: str) -> bool:
        """Whether any output is written from objects, or from probabilities."""
        return any(what in output.needs for output in self.outputs.values())


def job_of(predictor: Predictor, asked: Asked) -> str:
    """Hash of all that what is said of an image hangs on, but the image."""
    found = hashlib.sha256(f"{__version__} {[p.name for p in predictor.prepared]} {predictor.device.name}".encode())
    for voice in predictor.voices:
        found.update(f"{(voice.record, voice.preprocess, voice.tiles, voice.ways, voice.weight)!r}".encode())
    for member in predictor.members:
        for name, tensor in sorted(member.network.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    found.update(f"{(predictor.description.labels, asked.objects, asked.clean_up)!r}".encode())
    return found.hexdigest()


def predicted(
    predictor: Predictor, scene: Scene, origin: Origin, name: str, asked: Asked, work: Working, stop: threading.Event
) -> Result:
    """What the model says of a scene, in the planes of its working place; goes on below the row that is marked there.

    Raises:
        ReadError, DataError: a part of the file does not open; channels or kind of value are not the model's.
        StoppedError: `stop` was set; what is finished has been marked.
    """
    classes = predictor.description.labels
    size = scene.header.height, scene.header.width
    # What was learned of objects stays in the plane until they have come apart.
    marked = work.plane("labels", size, "uint8")
    shares = None
    if asked.needs(PROBABILITIES):
        shares = tuple(work.plane(f"probabilities-{k}", size, "float32") for k in range(classes.count))
    if work.row < size[0]:
        _fill(predictor, scene, marked, shares, work, stop)
    objects = settle(marked, classes, asked.objects, work.scratch)
    labels = _mended(marked, classes, asked.clean_up, work)
    if asked.clean_up.steps or not asked.with_objects:
        objects = None
    if asked.with_objects and objects is None:
        by_class = asked.objects is not None and asked.objects.learned is not None
        of = _marked_again(labels, marked, classes, work) if by_class else labels
        objects = objects_in(of, classes, asked.objects, work.scratch)
    return Result(name, scene, origin, classes, labels, shares, objects, work.scratch)


def _fill(
    predictor: Predictor,
    scene: Scene,
    marked: Plane,
    shares: tuple[Plane, ...] | None,
    work: Working,
    stop: threading.Event,
) -> None:
    height, width = marked.shape
    last = time.monotonic()
    for band in predictor.stream(scene, start=work.row):
        marked.write(band.rows, band.columns, band.labels if band.marked is None else band.marked)
        for plane, share_hw in zip(shares or (), band.probabilities, strict=False):
            plane.write(band.rows, band.columns, share_hw)
        if band.columns.stop < width:  # more of these rows are to come
            continue
        if stop.is_set() or time.monotonic() - last > EVERY or band.rows.stop == height:
            work.mark(band.rows.stop)
            last = time.monotonic()
        if stop.is_set() and band.rows.stop < height:
            raise StoppedError


def _mended(marked: Plane, classes: Labels, clean_up: CleanUp, work: Working) -> Plane:
    """The labels of the classes alone, cleaned up."""
    if classes.learned is None and not clean_up.steps:
        return marked
    labels = work.scratch(marked.shape, "uint8")
    for rows, columns in bands(marked.shape):
        labels.write(rows, columns, classes.of_classes(marked.read(rows, columns)))
    clean_up.apply(labels, classes.names, classes.background, work.scratch)
    return labels


def _marked_again(labels: Plane, marked: Plane, classes: Labels, work: Working) -> Plane:
    """Labels that were cleaned up, with what was learned of objects where they are still of its class."""
    again = work.scratch(labels.shape, "uint8")
    for rows, columns in bands(labels.shape):
        mended_hw, marked_hw = labels.read(rows, columns), marked.read(rows, columns)
        again.write(rows, columns, np.where(classes.of_classes(marked_hw) == mended_hw, marked_hw, mended_hw))
    return again
