"""An export beside the model in PyTorch: the same images through both, what differs, and how long each takes."""

import contextlib
import ctypes
import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.exports.certificate import Pair
from maskwright.exports.registry import Runner
from maskwright.inference import Predictor
from maskwright.metrics import confusion_matrix, mean_iou
from maskwright.mirror import mirror_indices

MOST: Final = 1024
"""Working pixels a side of an image that is compared: PyTorch and the export both see it whole."""
TIMED: Final = 512
"""An image smaller than this is mirrored up to it before anything is timed: otherwise it is the calls that are."""
ROUNDS: Final = 5
SURE: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Case:
    """One image to compare on."""

    name: str
    image: NDArray[Any]
    """H W C as stored."""
    labels: NDArray[np.uint8] | None = None
    """H W, if they are known."""


@dataclass(frozen=True)
class Compared:
    """What the images say."""

    pixels: int
    difference: float
    logit_difference: float | None
    changed: float
    mean_iou: Pair | None
    classes: int
    """How many classes PyTorch sees on all the images."""


def compared(predictor: Predictor, runner: Runner, cases: Sequence[Case]) -> Compared:
    """Both on every image. Shapes: K classes, H W."""
    classes = predictor.description.labels.count
    confusions = np.zeros((2, classes, classes), np.int64)
    pixels = changed = 0
    difference, logits, seen = 0.0, list[float](), set[int]()
    for case in cases:
        ours = predictor(case.image, probabilities=True)
        labels_HW, shares_KHW = runner(case.image)
        assert ours.probabilities is not None, "they were asked for"
        # Not `max`: a NaN must not be passed over.
        difference = float(np.maximum(difference, np.abs(ours.probabilities - shares_KHW).max()))
        sure = [(p > SURE) & (p < 1 - SURE) for p in (ours.probabilities, shares_KHW)]
        if (both := sure[0] & sure[1]).any():
            apart = _log_odds(ours.probabilities[both]) - _log_odds(shares_KHW[both])
            logits.append(float(np.abs(apart).max()))
        seen.update(np.unique(ours.labels).tolist())
        pixels += labels_HW.size
        # Not `ours.labels`: of objects of several classes those wait for the whole image, which no graph can.
        likeliest_HW = ours.probabilities.argmax(0)
        changed += int((likeliest_HW != labels_HW).sum())
        if case.labels is not None:
            confusions[0] += confusion_matrix(likeliest_HW, case.labels, classes)
            confusions[1] += confusion_matrix(labels_HW, case.labels, classes)
    scores = [mean_iou(confusion) for confusion in confusions]
    return Compared(
        pixels,
        difference,
        max(logits, default=None),
        changed / pixels,
        Pair(torch=scores[0], export=scores[1]) if confusions[0].any() else None,
        len(seen),
    )


def timed(image_HWC: NDArray[Any], *works: Callable[[NDArray[Any]], object]) -> list[float]:
    """The median milliseconds of each, in rounds of all, one after the other; a first round is not counted."""
    found: list[list[float]] = [[] for _ in works]
    for n in range(ROUNDS + 1):
        for work, times in zip(works, found, strict=True):
            start = time.perf_counter()
            work(image_HWC)
            if n:
                times.append(1000 * (time.perf_counter() - start))
    return [median(times) for times in found]


def mirrored_to(image_HWC: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """The image, mirrored as often as it takes to be of that size."""
    rows, columns = (mirror_indices(0, wanted, n) for wanted, n in zip((height, width), image_HWC.shape, strict=False))
    return np.ascontiguousarray(image_HWC[rows[:, None], columns])


def cut(case: Case, most: int) -> Case:
    """The middle of an image, of at most so many pixels a side."""
    (top, height), (left, width) = (((n - min(n, most)) // 2, min(n, most)) for n in case.image.shape[:2])
    here = (slice(top, top + height), slice(left, left + width))
    labels = None if case.labels is None else case.labels[here]
    return Case(case.name, np.ascontiguousarray(case.image[here]), labels)


def peak_of(work: Callable[[], object]) -> int | None:
    """By how many bytes the work raises the process's memory at its highest; None where Linux does not tell."""
    status = Path("/proc/self/status")
    try:
        gc.collect()
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):  # another C library: what was freed may be used again
                ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark falls to what is held now
        before = _status_bytes(status, "VmRSS")
        work()
        return max(0, _status_bytes(status, "VmHWM") - before)
    except (OSError, LookupError, ValueError):  # no such file, or none that may be written
        return None


def _status_bytes(status: Path, name: str) -> int:
    lines = dict(line.split(":", 1) for line in status.read_text("ascii", errors="replace").splitlines() if ":" in line)
    return int(lines[name].split()[0]) * 1024


def _log_odds(shares: NDArray[np.float32]) -> NDArray[np.float64]:
    p = shares.astype(np.float64)
    return np.log(p / (1 - p))
