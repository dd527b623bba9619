"""The plan: from what the data are (fingerprint) and what is wished (budget, device) to every setting, with its reason.

Each rule is a small function that returns values and says why; EXPERIMENTS.md holds the measurements behind them.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from maskwright.data.augment import Augment
from maskwright.data.dataset import Sampling
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.preprocess import Preprocess
from maskwright.devices import DeviceSettings
from maskwright.errors import SettingError
from maskwright.losses import LossSettings
from maskwright.model import UNetRecord
from maskwright.records import Record
from maskwright.settings import Budget, OptimizerSettings, ScheduleSettings, TrainingSettings, ValidationSettings
from maskwright.tiling import Tiles


class Plan(Record):
    """Everything that a training does, decided. Saved as `plan.yaml`, it can be edited and run again."""

    seed: int = 0
    preprocess: Preprocess
    model: UNetRecord
    sampling: Sampling
    augment: Augment
    loss: LossSettings
    training: TrainingSettings
    tiles: Tiles
    device: DeviceSettings
    reasons: dict[str, str] = {}
    """Setting, or group of settings → why it is so."""

    def with_wishes(self, wishes: Mapping[str, Any]) -> "Plan":
        """The plan with some settings replaced by the user's, and that noted as their reason.

        Short forms are understood where only one setting can be meant: `optimizer.lr` is `training.optimizer.lr`.
        """
        full = {self._full(key): value for key, value in wishes.items()}
        changed = self.with_settings(full)
        return changed.model_copy(update={"reasons": {**self.reasons, **dict.fromkeys(full, "as asked for")}})

    def _full(self, key: str) -> str:
        keys = self.keys()
        if key in keys or key.startswith("loss.terms"):
            return key
        longer = [known for known in keys if known.endswith(f".{key}")]
        return longer[0] if len(longer) == 1 else key


class Why(NamedTuple):
    """A decided value and its reason."""

    value: Any
    reason: str


def decide(
    fingerprint: Fingerprint,
    *,
    budget: Budget | None = None,
    device: DeviceSettings | None = None,
    seed: int = 0,
    wishes: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan for a data set.

    wishes: settings by dotted key that the user fixed, e.g. {"model.depth": 3}.

    Raises:
        SettingError: a wish names no setting (says the nearest) or its value does not fit.
    """
    device = device or DeviceSettings()
    reasons: dict[str, str] = {}

    def take(key: str, why: Why) -> Any:
        reasons[key] = why.reason
        return why.value

    small = budget is not None and budget.minutes is not None and device.accelerator == "cpu"
    scale = take("preprocess.scale", _scale(fingerprint, small=small))
    network: UNetRecord = take("model", _network(fingerprint, scale, small=small))
    crop = take("sampling.crop", _crop(fingerprint, scale, network.stride))
    batch = take("sampling.batch", _batch(crop, device))
    sampling = Sampling(crop=crop, batch=batch, crops_per_image=_crops_per_image(fingerprint, scale, crop))
    budget = take("training.budget", _budget(budget, fingerprint, sampling))
    optimizer = take("training.optimizer", _optimizer())
    plan = Plan(
        seed=seed,
        preprocess=take("preprocess", _preprocess(fingerprint, scale)),
        model=network,
        sampling=sampling,
        augment=take("augment", _augment(fingerprint)),
        loss=take("loss", _loss(fingerprint)),
        training=TrainingSettings(
            budget=budget,
            optimizer=optimizer,
            schedule=take("training.schedule", _schedule(budget)),
            validation=take("training.validation", _validation(budget)),
        ),
        tiles=take("tiles", _tiles(device)),
        device=take("device", _device(device)),
        reasons=reasons,
    )
    return plan.with_wishes(wishes or {})


def _scale(f: Fingerprint, *, small: bool) -> Why:
    side = math.sqrt(f.median[0] * f.median[1])
    if small and side > 320 and len(f.classes) > 2:
        return Why(0.5, "little time: half the size costs a quarter a step")
    if side > 1536:
        scale = 2.0 ** -math.ceil(math.log2(side / 1536))
        return Why(scale, f"images of {f.median[0]}×{f.median[1]} are worked on smaller, so that a crop shows context")
    return Why(1.0, "images are worked on as they are")


def _network(f: Fingerprint, scale: float, *, small: bool) -> Why:
    side = min(f.median) * scale
    depth = max(1, min(4, int(math.log2(max(2, side / 8)))))
    record = UNetRecord(
        in_channels=f.channels,
        classes=len(f.classes),
        depth=depth,
        base=16 if small else 32,
        max_width=128 if small else 512,
    )
    return Why(record, f"depth {depth}: the bottleneck still sees {side / 2**depth:.0f} pixels a side")


def _crop(f: Fingerprint, scale: float, stride: int) -> Why:
    def fitted(size: float, most: int) -> int:
        return max(stride, min(most, round(size * scale / stride) * stride))

    height, width = f.median
    if height * width * scale**2 <= 320 * 320:
        return Why((fitted(height, 1024), fitted(width, 1024)), "the whole image fits a step")
    return Why((fitted(height, 256), fitted(width, 256)), "large images are seen in crops")


def _crops_per_image(f: Fingerprint, scale: float, crop: tuple[int, int]) -> int:
    return max(1, round(f.median[0] * f.median[1] * scale**2 / (crop[0] * crop[1])))


def _batch(crop: tuple[int, int], device: DeviceSettings) -> Why:
    if device.accelerator == "cpu":
        return Why(4, "on a CPU larger batches cost as much a crop, so small ones give more steps")
    return Why(max(2, min(64, round(16 * 256 * 256 / (crop[0] * crop[1])))), "about a million pixels a step")


def _budget(budget: Budget | None, f: Fingerprint, sampling: Sampling) -> Why:
    if budget is not None:
        return Why(budget, "as asked for")
    steps = max(1, f.train * sampling.crops_per_image / sampling.batch)
    epochs = min(200, max(20, math.ceil(3000 / steps)))
    return Why(Budget(epochs=epochs), f"none was stated: {epochs} epochs are about {epochs * steps:.0f} steps")


def _optimizer() -> Why:
    return Why(OptimizerSettings(name="muon", lr=0.02, side_lr=3e-3), "muon learns most in few steps")


def _schedule(budget: Budget) -> Why:
    return Why(ScheduleSettings(), "one-cycle spends most steps at a high rate and ends at none")


def _validation(budget: Budget) -> Why:
    if budget.epochs is not None:
        times = max(1, min(50, round(budget.epochs)))
        return Why(
            ValidationSettings(times=times), "once an epoch" if times == budget.epochs else f"{times} times in all"
        )
    return Why(ValidationSettings(times=6, images=32), "six times, on at most 32 images: minutes are for learning")


def _preprocess(f: Fingerprint, scale: float) -> Why:
    std = tuple(max(value, 1e-3 * max(1.0, f.high - f.low)) for value in f.std)
    record = Preprocess(channels=f.channels, dtype=f.dtype, scale=scale, mean=f.mean, std=std)
    return Why(
        record, f"{f.dtype} values {f.low:g} … {f.high:g}, normalised by the mean and deviation of the training images"
    )


def _augment(f: Fingerprint) -> Why:
    if f.channels == 3:
        return Why(Augment(colour=0.1), "colour images: an upright scene, flipped sideways, turned a little")
    record = Augment(flip_vertical=True, rotate=180, scale=(0.8, 1.25), elastic=4.0)
    return Why(record, "grey images: no side is up, so every turn and flip is likely; tissue bends")


def _loss(f: Fingerprint) -> Why:
    shares = [share for share in f.pixel_share if share]
    if len(f.classes) > 2 and min(shares) < 0.1 / len(f.classes):
        # The square root tames 1/share: a class of 1 % would otherwise count a hundred times.
        raw = [1 / math.sqrt(share) if share else 0.0 for share in f.pixel_share]
        mean = sum(w * s for w, s in zip(raw, f.pixel_share, strict=True))
        weights = tuple(round(w / mean, 3) for w in raw)
        return Why(LossSettings(class_weights=weights), "rare classes weigh more, by the root of their share")
    return Why(LossSettings(), "cross-entropy for every pixel, Dice for every class however small")


def _tiles(device: DeviceSettings) -> Why:
    window = (512, 512) if device.accelerator == "cpu" else (1024, 1024)
    batch = 1 if device.accelerator == "cpu" else 4
    return Why(Tiles(window=window, batch=batch), "larger images are predicted in windows")


def _device(device: DeviceSettings) -> Why:
    return Why(device, "the fastest device present" if device.accelerator != "cpu" else "no other device is present")


def demand_same_classes(plan: Plan, fingerprint: Fingerprint) -> None:
    """Nothing, if the plan's network has as many outputs as the data has classes.

    Raises:
        SettingError: it has not, as when a plan of other data is used.
    """
    wanted = len(fingerprint.classes)
    if plan.model.classes != wanted and not (plan.model.classes == 1 and wanted == 2):
        raise SettingError(
            f"The plan's network tells {plan.model.classes} classes apart, the data has {wanted}: "
            f"{', '.join(fingerprint.classes)}. Set model.classes={wanted}, or make a new plan."
        )
    if plan.model.in_channels != plan.preprocess.channels:
        raise SettingError(
            f"The plan's network takes {plan.model.in_channels} channels, its preprocessing gives "
            f"{plan.preprocess.channels}. Set both to the same."
        )
