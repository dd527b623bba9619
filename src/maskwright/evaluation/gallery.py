"""Pictures to judge by: an image beside its actual and its predicted mask, and some of the training images.

Bitmaps carry no words: titles, names and legends are the report's business. Shapes: H W the image, h w a thumbnail.
"""

import math
import statistics
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from maskwright.data.display import (
    Bytes,
    background,
    colour_table,
    displayed,
    frame_of,
    hatched,
    nearest,
    overlay,
    resized,
)
from maskwright.data.labels import Labels
from maskwright.data.preprocess import LUMINANCE, Preprocess
from maskwright.data.randomness import number
from maskwright.data.sample import Sample, Samples
from maskwright.files import write_image
from maskwright.inference import Prediction
from maskwright.metrics import confusion_matrix, mean_iou, pixel_accuracy
from maskwright.records import IGNORED, Record

DRAWN = 32
"""Images kept to choose the typical ones from. The third-nearest of 32 lies about 5 % in rank from the median."""
GAP = 8
"""White pixels between two parts."""

MISSED, EXTRA, MIXED = (213, 94, 0), (0, 114, 178), (204, 121, 167)
"""Wrong pixels: called background, background called a class, one class called another (Okabe and Ito 2008)."""

ALBUM = "pictures.json"

Kind = Literal["best", "typical", "worst"]


class Shown(Record):
    """One written picture: parts from left to right are image, actual mask, predicted mask, errors."""

    file: str
    name: str
    """Of the sample."""
    kind: Kind | None = None
    """None: not scored, a picture of the data."""
    mean_iou: float | None = None
    accuracy: float | None = None
    height: int
    width: int
    """Of the image itself."""


class Album(Record):
    """What lies in a folder of pictures, kept beside them as `pictures.json`."""

    pictures: tuple[Shown, ...]


@dataclass(frozen=True)
class _Thumbnail:
    """One image made small: h w 3, h w and h w; and how it scored."""

    name: str
    size: tuple[int, int]
    score: float
    accuracy: float
    image: Bytes
    truth: Bytes
    said: Bytes


class Gallery:
    """Watches an evaluation and keeps a bounded number of thumbnails: the best, the worst and some around the median.

    The typical ones are the nearest to the median among the worst, the best and `DRAWN` images drawn by name, not by
    order: however the scores are sorted, the draw is even. Up to `DRAWN` images the choice is exact.

    labels: the classes. preprocess: the model's, to show images as its network sees them; None: as they are stored.
    keep: how many of each kind are written.
    """

    def __init__(self, labels: Labels, preprocess: Preprocess | None = None, keep: int = 3):
        self.labels, self.preprocess, self.keep = labels, preprocess, keep
        self._scores: list[float] = []
        self._worst: list[tuple[float, str]] = []
        self._best: list[tuple[float, str]] = []
        self._drawn: list[tuple[float, str]] = []
        self._thumbnails: dict[str, _Thumbnail] = {}

    def watch(self, sample: Sample, image_HWC: NDArray[Any], labels_HW: Bytes, prediction: Prediction) -> None:
        """Look at one scored image; fits `evaluate(…, watch=gallery.watch)`."""
        confusion = confusion_matrix(prediction.labels, labels_HW, self.labels.count)
        score = mean_iou(confusion)
        if not math.isfinite(score):
            return  # every pixel is ignored: neither good nor bad
        self._scores.append(score)
        if not self._ranked(sample.name, score):
            return
        frame = frame_of(*labels_HW.shape)
        self._thumbnails[sample.name] = _Thumbnail(
            name=sample.name,
            size=(labels_HW.shape[0], labels_HW.shape[1]),
            score=score,
            accuracy=pixel_accuracy(confusion),
            image=resized(self._processed(image_HWC), frame),
            truth=nearest(labels_HW, frame),
            said=nearest(prediction.labels, frame),
        )
        wanted = {name for _, name in (*self._worst, *self._best, *self._drawn)}
        self._thumbnails = {name: kept for name, kept in self._thumbnails.items() if name in wanted}

    def chosen(self) -> dict[Kind, list[str]]:
        """The names of the images to show, each once: worst first among the worst, best first among the best."""
        kept = sorted(self._thumbnails.values(), key=lambda t: (t.score, t.name))
        count = len(self._scores)
        ends = min(self.keep, (count + 1) // 3)  # so that up to three times `keep` images are all shown
        middle = kept[ends : len(kept) - ends]
        median = statistics.median(self._scores) if self._scores else 0.0
        typical = sorted(middle, key=lambda t: (abs(t.score - median), t.name))[: min(self.keep, count - 2 * ends)]
        return {
            "best": [t.name for t in reversed(kept[len(kept) - ends :])],
            "typical": [t.name for t in sorted(typical, key=lambda t: (t.score, t.name))],
            "worst": [t.name for t in kept[:ends]],
        }

    def write(self, folder: str | Path) -> list[Shown]:
        """Write the chosen pictures and their `pictures.json`. Returns what was written."""
        shown = []
        for kind, names in self.chosen().items():
            for place, name in enumerate(names, start=1):
                thumbnail = self._thumbnails[name]
                # Not called as the sample: a sample's name may hold what a file's may not.
                write_image(Path(folder) / f"{kind}-{place}.png", self._parts(thumbnail))
                shown.append(
                    Shown(file=f"{kind}-{place}.png", name=name, kind=kind, mean_iou=thumbnail.score,
                          accuracy=thumbnail.accuracy, height=thumbnail.size[0], width=thumbnail.size[1])
                )  # fmt: skip
        Album(pictures=tuple(shown)).save(Path(folder) / ALBUM)
        return shown

    def _ranked(self, name: str, score: float) -> bool:
        """Whether the image is, for now, among those to keep."""
        insort(self._worst, (score, name))
        insort(self._best, (score, name))
        insort(self._drawn, (number("gallery", name), name))
        del self._worst[self.keep :], self._drawn[DRAWN:]
        del self._best[: max(0, len(self._best) - self.keep)]
        return any(name == kept for _, kept in (*self._worst, *self._best, *self._drawn))

    def _processed(self, image_HWC: NDArray[Any]) -> Bytes:
        """The image as the network sees it, made visible; normalising changes nothing that an eye can see."""
        if self.preprocess is None:
            return displayed(image_HWC)
        small_Chw = self.preprocess.resize(self.preprocess.to_channels(image_HWC)).numpy()
        small_hwC = np.moveaxis(small_Chw, 0, 2)
        return displayed(np.rint(small_hwC).astype(np.uint8) if image_HWC.dtype == np.uint8 else small_hwC)

    def _parts(self, thumbnail: _Thumbnail) -> Bytes:
        colours = colour_table(self.labels)
        ignored = thumbnail.truth == IGNORED
        parts = [
            thumbnail.image,
            hatched(colours[thumbnail.truth], ignored),
            colours[thumbnail.said],
            hatched(_errors(thumbnail, background(self.labels.names)), ignored),
        ]
        spacer = np.full((thumbnail.image.shape[0], GAP, 3), 255, np.uint8)
        return np.concatenate([part for each in parts for part in (each, spacer)][:-1], axis=1)


def data_pictures(samples: Samples, folder: str | Path, count: int = 8) -> list[Shown]:
    """Write some training images with their masks outlined: every class is shown if it can be, the rest is spread."""
    shown = []
    for place, sample in enumerate(_telling(samples, samples.part("train"), count), start=1):
        frame = frame_of(sample.height, sample.width)
        image = resized(displayed(samples.image(sample)), frame)
        picture = overlay(image, nearest(samples.labels_of(sample), frame), samples.labels, fill=0.25)
        write_image(Path(folder) / f"data-{place}.png", picture)
        shown.append(Shown(file=f"data-{place}.png", name=sample.name, height=sample.height, width=sample.width))
    Album(pictures=tuple(shown)).save(Path(folder) / ALBUM)
    return shown


def _telling(samples: Samples, part: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` samples in their order: for each class, rarest first, where most of it is; then evenly."""
    pixels = [_pixels(samples.labels, sample) for sample in part]
    showing = {label: [i for i, of in enumerate(pixels) if of.get(label)] for label in range(samples.labels.count)}
    chosen: list[int] = []
    for label, places in sorted(showing.items(), key=lambda item: len(item[1])):
        if places and len(chosen) < count and not set(places) & set(chosen):
            chosen.append(max(places, key=lambda i: pixels[i][label]))
    rest = [i for i in range(len(part)) if i not in chosen]
    more = min(count - len(chosen), len(rest))
    chosen += [rest[(2 * j + 1) * len(rest) // (2 * more)] for j in range(more)]
    return [part[i] for i in sorted(chosen)]


def _pixels(labels: Labels, sample: Sample) -> dict[int, int]:
    """Label → pixels of a sample, from what the index measured."""
    out: dict[int, int] = {}
    for value, pixels in sample.values.items():
        label = labels.label_of[value]
        out[label] = out.get(label, 0) + pixels
    return out


def _errors(thumbnail: _Thumbnail, clear: int | None) -> Bytes:
    """Wrong pixels in signal colours on the image, which is washed out."""
    grey = thumbnail.image @ np.array(LUMINANCE)
    out = np.repeat((190 + 0.25 * grey).astype(np.uint8)[:, :, None], 3, axis=2)
    truth, said = thumbnail.truth, thumbnail.said
    wrong = truth != said
    out[wrong] = MIXED
    if clear is not None:
        out[wrong & (said == clear)] = MISSED
        out[wrong & (truth == clear)] = EXTRA
    return out
