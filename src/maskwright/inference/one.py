"""One image, from a scene to what was found in it: in bands, into planes that need not fit into memory."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from maskwright._version import __version__
from maskwright.data.labels import Labels
from maskwright.data.learned_objects import OFF, ObjectSettings
from maskwright.errors import SettingError
from maskwright.files import Origin, Plane, Scene
from maskwright.inference.outputs import Output
from maskwright.inference.outputs.registry import OBJECTS, PROBABILITIES
from maskwright.inference.predictor import Predictor
from maskwright.inference.result import Result
from maskwright.inference.working import Working
from maskwright.modelfile import Description
from maskwright.regions import Objects, Separation, separate

EVERY: Final = 10.0
"""Seconds after which what is predicted of a large image is marked as done."""


class StoppedError(Exception):
    """The work on an image was stopped from outside; what was done of it is marked."""


@dataclass(frozen=True)
class Asked:
    """What is to be made of each image."""

    outputs: Mapping[str, Output]
    """By the names they are asked for by."""
    objects: ObjectSettings | None
    """How objects that touch are taken apart; None: connected pieces are objects."""

    def bytes_of(self, pixels: int, classes: Labels) -> int:
        """Bytes of the planes of an image."""
        return pixels * (1 + 4 * classes.count * self.needs(PROBABILITIES) + 4 * self.needs(OBJECTS))

    def needs(self, what: str) -> bool:
        """Whether any output is written from objects, or from probabilities."""
        return any(what in output.needs for output in self.outputs.values())


def apart(description: Description, objects: str | ObjectSettings | None) -> ObjectSettings | None:
    """How objects are taken apart: as asked for; None: as the model's plan says.

    Raises:
        SettingError: it is unknown, or the model has not learned what it needs.
    """
    planned = description.plan.objects
    if objects is None or objects == OFF:
        return None if objects else planned
    asked = ObjectSettings.read({"how": objects}, "--objects") if isinstance(objects, str) else objects
    learned = description.labels.objects
    if asked.learned is not None and (learned is None or learned.kind != asked.how):
        has = f"it has learned {learned.name}s" if learned else "it has learned nothing of objects"
        raise SettingError(
            f"The model cannot take objects apart by their {asked.how}: {has}. Train one with --objects {asked.how}, "
            "or predict with --objects distance, which needs nothing learned."
        )
    return asked


def job_of(predictor: Predictor, asked: Asked) -> str:
    """Hash of all that what is said of an image hangs on, but the image."""
    found = hashlib.sha256(f"{__version__} {predictor.runtime} {predictor.device.name}".encode())
    for voice in predictor.voices:
        found.update(f"{(voice.record, voice.preprocess, voice.tiles, voice.ways, voice.weight)!r}".encode())
    for member in predictor.members:
        for name, tensor in sorted(member.network.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    found.update(f"{(predictor.description.labels, asked.objects)!r}".encode())
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
    labels = _plain(marked, classes, work) if classes.learned is not None else marked
    objects = _objects(marked, classes, asked.objects, work) if asked.needs(OBJECTS) else None
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


def _plain(marked: Plane, classes: Labels, work: Working) -> Plane:
    """The labels of the classes alone."""
    labels = work.scratch(marked.shape, "uint8")
    height, width = marked.shape
    step = max(1, 2**22 // width)
    for top in range(0, height, step):
        window = slice(top, min(height, top + step)), slice(0, width)
        labels.write(*window, classes.of_classes(marked.read(*window)))
    return labels


def _objects(marked: Plane, classes: Labels, settings: ObjectSettings | None, work: Working) -> Objects:
    wanted = [label for label in range(classes.count) if label != classes.background]
    if settings is None:
        return separate(marked, classes=wanted, scratch=work.scratch)
    how = Separation(how=settings.how, smallest=max(1, settings.smallest))
    of = () if classes.foreground is None or settings.learned is None else (classes.foreground,)
    return separate(marked, classes=wanted, settings=how, learned=classes.learned, of=of, scratch=work.scratch)
