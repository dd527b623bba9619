"""The rules: what the data are → settings, each with its reason. EXPERIMENTS.md holds what each rule is worth."""

import math
from typing import Any, NamedTuple

from maskwright.data.augment import Augment
from maskwright.data.dataset import Sampling
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.learned_objects import LearnedObjects, ObjectSettings
from maskwright.data.preprocess import Preprocess
from maskwright.data.touching import Touching
from maskwright.devices import DeviceSettings
from maskwright.losses import LossSettings
from maskwright.model import UNetRecord
from maskwright.model.sizes import fitting_input
from maskwright.settings import Budget, OptimizerSettings, ScheduleSettings, ValidationSettings
from maskwright.tiling import Tiles

WHOLE_IMAGE = 320 * 320
"""Working pixels up to which a step sees whole images."""
RARE = 0.05
"""Share of the pixels below which crops are drawn around a class."""
FEW = 30
"""Images up to which they count as few: the paper's own set has 30."""


CROWDED = 0.05
"""Share of the objects that touch another, from which on they are taken apart."""


FIRST_MAP = 2**25
"""Bytes of one map of a network's first level on a window, all its channels."""


class Why(NamedTuple):
    """A decided value and its reason."""

    value: Any
    reason: str


def sampling(
    f: Fingerprint, scale: float, record: UNetRecord, device: DeviceSettings, learned: LearnedObjects | None = None
) -> Why:
    """What a step looks at: whole images where they are small, crops of them where they are large."""
    height, width = f.median
    whole = height * width * scale**2 <= WHOLE_IMAGE
    most = 1024 if whole else 256

    def fitted(size: float) -> int:
        wanted = min(most, max(1, round(size * scale / record.stride)) * record.stride)
        return fitting_input(record, wanted) if record.padding == "valid" else wanted

    crop = fitted(height), fitted(width)
    if device.accelerator == "cpu":
        batch, why = 4, "a larger batch costs a CPU as much a crop, a small one gives more steps"
    else:
        batch, why = (
            max(2, min(64, round(2**20 / (crop[0] * crop[1])))),
            "about a million pixels a step keep a GPU busy",
        )
    times = max(1, round(height * width * scale**2 / (crop[0] * crop[1])))
    seen = "whole images" if whole else "crops: large images are seen in parts"
    share = min((share for share in shares(f, learned) if share), default=1.0)
    rare = 0.0
    if not whole and share < RARE:
        rare = 0.33
        seen += f", a third of them around a pixel of a rarer class, of which the rarest has {share:.1%} of the pixels"
    return Why(Sampling(crop=crop, batch=batch, crops_per_image=times, rare=rare), f"{seen}; {why}")


def steps_per_epoch(f: Fingerprint, sampling: Sampling) -> int:
    """Steps in which every image is seen."""
    return max(1, -(-f.train * sampling.crops_per_image // sampling.batch))


def budget(f: Fingerprint) -> Why:
    """How long to train where nobody said so."""
    if f.val:
        return Why(Budget(settled=True), "no time was stated: until the smoothed validation score has stopped rising")
    return Why(Budget(steps=3000), "no time was stated, and there is nothing to validate on: 3000 steps")


def optimizer() -> Why:
    """The optimiser and its rates."""
    settings = OptimizerSettings(name="muon", lr=1.2e-2, side_lr=6e-3, momentum=0.95)
    return Why(settings, "in few steps muon learns more than AdamW")


def schedule() -> Why:
    """How the rate goes."""
    return Why(ScheduleSettings(), "one-cycle spends most steps at a high rate and ends at none")


def validation(budget: Budget, steps_per_epoch: int) -> Why:
    """How often to validate."""
    if budget.settled:
        every = max(50, steps_per_epoch)
        return Why(
            ValidationSettings(every=every, images=32),
            f"every {every} steps, an epoch or more: often enough to see the score settle",
        )
    if budget.epochs is not None:
        times = max(1, min(50, round(budget.epochs)))
        return Why(
            ValidationSettings(times=times), "once an epoch" if times == budget.epochs else f"{times} times in all"
        )
    return Why(ValidationSettings(times=6, images=32), "six times, on at most 32 images: minutes are for learning")


def preprocess(f: Fingerprint, scale: float) -> Why:
    """Values by the mean and deviation of the training images; a channel that hardly varies is not blown up."""
    std = tuple(max(value, 1e-3 * max(1.0, f.high - f.low)) for value in f.std)
    record = Preprocess(channels=f.channels, dtype=f.dtype, scale=scale, mean=f.mean, std=std)
    return Why(
        record, f"{f.dtype} values {f.low:g} … {f.high:g}, normalised by the mean and deviation of the training images"
    )


def augment(f: Fingerprint) -> Why:
    """How far crops are moved and changed. Few images bend too: Ronneberger et al. 2015 learn from 30 that way."""
    few = f.train <= FEW
    if f.channels == 3:
        said = "colour images: an upright scene, flipped sideways, turned a little"
        if few:
            return Why(Augment(colour=0.1, elastic=4.0), f"{said}; and bent, as there are only {f.train}")
        return Why(Augment(colour=0.1), said)
    record = Augment(flip_vertical=True, rotate=180, scale=(0.8, 1.25), elastic=4.0)
    return Why(record, "grey images: no side is up, so every turn and flip is likely; tissue bends")


def shares(f: Fingerprint, learned: LearnedObjects | None) -> list[float]:
    """Of the pixels that count, the share of each class, and of the borders between objects, if they are learned.

    Of centres, which are a good part of their objects, no share is known, and none is needed.
    """
    known = list(f.pixel_share)
    if learned and learned.kind == "border" and f.objects:
        known.append(f.objects.border)
    return known


def loss(f: Fingerprint, learned: LearnedObjects | None = None) -> Why:
    """Cross-entropy and Dice; rare classes among many weigh more."""
    share_K = shares(f, learned)
    shown = [share for share in share_K if share]
    if len(share_K) > 2 and max(shown) > 10 * min(shown):
        # The square root tames 1/share: a class of 1 % would otherwise count a hundred times.
        raw = [1 / math.sqrt(share) if share else 0.0 for share in share_K]
        mean = sum(w * s for w, s in zip(raw, share_K, strict=True))
        weights = tuple(round(w / mean, 3) for w in raw)
        return Why(LossSettings(class_weights=weights), "rare classes weigh more, by the root of their share")
    return Why(LossSettings(), "cross-entropy for every pixel, Dice for every class however small")


def objects(seen: Touching) -> Why:
    """By what objects are taken apart, where masks tell them apart."""
    said = f"{seen.touching:.0%} of the objects touch another" + " of their class" * (len(seen.classes) > 1)
    if seen.touching < CROWDED:
        return Why(None, f"{said}: few, so each piece is an object")
    why = "by their shape; borders or centres are learned, given time, with objects=border or objects=centre"
    return Why(ObjectSettings(how="distance"), f"{said}: taken apart {why}")


def tiles(device: DeviceSettings, network: UNetRecord) -> Why:
    """How large images are predicted: in windows as large as the maps of the network's first level let them be. The
    larger, the less of them is computed twice; but they are what memory is needed for.
    """
    if device.accelerator != "cpu":
        return Why(Tiles(window=(1024, 1024), batch=4), "larger images are predicted in windows")
    widest = math.sqrt(FIRST_MAP / (4 * network.level_widths[0])) * network.stem
    side = min(2048, max(512, int(widest) // network.stride * network.stride))
    return Why(
        Tiles(window=(side, side)), "larger images are predicted in windows, whose first maps take 32 MiB at most"
    )


def memory_format(device: DeviceSettings, network: UNetRecord) -> Why:
    """The device, and the order of memory that its width suits, until it is measured."""
    if device.accelerator != "cpu":
        return Why(device, "the fastest device present")
    narrow = network.level_widths[0] <= 32
    order = "narrow layers are faster pixel by pixel" if narrow else "wide layers are faster channel by channel"
    return Why(device.model_copy(update={"channels_last": narrow}), f"no other device is present; {order}")
