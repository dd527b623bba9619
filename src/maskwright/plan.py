"""The plan: from what the data are (fingerprint) and what is wished (budget, device) to every setting, with its reason.

`decide` has a rule for each group of settings, a small function that returns values and says why; EXPERIMENTS.md holds
the measurements behind them. `follow` does as a recipe says.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from maskwright.data.augment import Augment
from maskwright.data.dataset import Sampling
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.preprocess import LUMINANCE, Preprocess
from maskwright.devices import DeviceSettings
from maskwright.errors import SettingError
from maskwright.losses import LossSettings
from maskwright.metrics import image_metrics
from maskwright.model import UNetRecord
from maskwright.model.sizes import demand_fit, fitting_input
from maskwright.recipes import Recipe
from maskwright.records import Record
from maskwright.settings import Budget, OptimizerSettings, ScheduleSettings, TrainingSettings, ValidationSettings
from maskwright.tiling import Tiles

LONG = 60.0
"""Minutes of one core up to which steps are made cheap: a stem of stride 2, a light decoder, narrow layers."""
WIDTHS = ((3.0, 16, 128), (20.0, 24, 160), (LONG, 32, 256), (math.inf, 32, 512))
"""Up to so many minutes of one core: width of the first level, and of the widest."""
WHOLE_IMAGE = 320 * 320
"""Working pixels up to which a step sees whole images."""


class Plan(Record):
    """Everything that a training does, decided. Saved as `plan.yaml`, it can be edited and run again."""

    recipe: str | None = None
    """The recipe that was followed; None: decided."""
    seed: int = 0
    preprocess: Preprocess
    model: UNetRecord
    sampling: Sampling
    augment: Augment
    loss: LossSettings
    training: TrainingSettings
    tiles: Tiles
    metrics: tuple[str, ...] = ()
    """Contest scores that evaluation adds to the usual ones."""
    device: DeviceSettings
    reasons: dict[str, str] = {}
    """Setting, or group of settings → why it is so."""

    def with_wishes(self, wishes: Mapping[str, Any]) -> "Plan":
        """The plan with some settings replaced by the user's, and that noted as their reason.

        Short forms are understood where only one setting can be meant: `optimizer.lr` is `training.optimizer.lr`.
        """
        full = {self.full_key(key): value for key, value in wishes.items()}
        changed = self.with_settings(full)
        return changed.model_copy(update={"reasons": {**self.reasons, **dict.fromkeys(full, "as asked for")}})

    def full_key(self, key: str) -> str:
        """The whole dotted key that a short form means: training.optimizer.lr for optimizer.lr."""
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

    effort = _effort(budget, device)
    scale = take("preprocess.scale", _scale(fingerprint, effort))
    network: UNetRecord = take("model", _network(fingerprint, scale, effort))
    sampling: Sampling = take("sampling", _sampling(fingerprint, scale, network, device))
    budget = take("training.budget", _budget(budget, fingerprint, sampling))
    draft = Plan(
        seed=seed,
        preprocess=take("preprocess", _preprocess(fingerprint, scale)),
        model=network,
        sampling=sampling,
        augment=take("augment", _augment(fingerprint)),
        loss=take("loss", _loss(fingerprint)),
        training=TrainingSettings(
            budget=budget,
            optimizer=take("training.optimizer", _optimizer()),
            schedule=take("training.schedule", _schedule()),
            validation=take("training.validation", _validation(budget)),
        ),
        tiles=take("tiles", _tiles(device)),
        device=take("device", _device(device, network)),
        reasons=reasons,
    )
    plan = draft.with_wishes(wishes or {})
    if plan.model == draft.model and plan.preprocess == draft.preprocess:
        return plan
    # What was wished of network and size changes which crops suit; wishes for the crops themselves come last.
    fitting = _sampling(fingerprint, plan.preprocess.scale, plan.model, device).value
    return draft.model_copy(update={"sampling": fitting}).with_wishes(wishes or {})


def follow(
    recipe: Recipe,
    fingerprint: Fingerprint,
    *,
    budget: Budget | None = None,
    device: DeviceSettings | None = None,
    seed: int = 0,
    wishes: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of a recipe for a data set: only channels, classes and values are taken from the data.

    budget: in place of the recipe's; the schedule stretches over it. wishes: as for `decide`.
    """
    device = device or DeviceSettings()
    preprocess = _prepared_as(recipe, fingerprint)
    network = recipe.network(preprocess.channels, len(fingerprint.classes))
    training = recipe.training.model_copy(update={"budget": budget}) if budget else recipe.training
    parts = ("preprocess", "model", "sampling", "augment", "loss", "training")
    reasons = dict.fromkeys(parts, f"as the recipe {recipe.name} says")
    if budget:
        reasons["training.budget"] = "as asked for"
    where, tiles = _device(device, network), _tiles(device)
    draft = Plan(
        recipe=recipe.name,
        seed=seed,
        preprocess=preprocess,
        model=network,
        sampling=recipe.sampling,
        augment=recipe.augment,
        loss=recipe.loss,
        training=training,
        tiles=recipe.tiles or tiles.value,
        metrics=recipe.metrics,
        device=where.value,
        reasons={**reasons, "tiles": tiles.reason, "device": where.reason},
    )
    plan = draft.with_wishes(wishes or {})
    if plan.preprocess.size == draft.preprocess.size or draft.sampling.crop != draft.preprocess.size:
        return plan
    # The recipe trains on whole images, so it does at another size too; a wish for the crop itself comes last.
    return draft.with_wishes({"sampling.crop": plan.preprocess.size, **(wishes or {})})


def _prepared_as(recipe: Recipe, f: Fingerprint) -> Preprocess:
    values = recipe.preprocess
    channels = values.channels or f.channels
    mean, std = f.mean, f.std
    if channels != f.channels:
        # Grey of three channels: exact where they are alike, as in grey pictures saved in colour.
        mean, std = (
            (sum(w * v for w, v in zip(LUMINANCE, spread, strict=True)),) if channels == 1 else spread * channels
            for spread in (mean, std)
        )
    return Preprocess(
        channels=channels,
        dtype=f.dtype,
        size=values.size,
        interpolation=values.interpolation,
        mean=mean if values.mean is None else (values.mean,) * channels,
        std=std if values.std is None else (values.std,) * channels,
    )


def _effort(budget: Budget | None, device: DeviceSettings) -> float:
    """Minutes of one core that there are to train in, infinite on a GPU; 15 a thread where none were stated."""
    if device.accelerator != "cpu":
        return math.inf
    minutes = budget.minutes if budget is not None and budget.minutes is not None else 15.0
    return minutes * (device.threads or 1)


def _scale(f: Fingerprint, effort: float) -> Why:
    side = math.sqrt(f.median[0] * f.median[1])
    if effort <= LONG and side > 320 and len(f.classes) > 2:
        return Why(
            0.5, "many classes are told by context: at half the size four times as many images are seen in the time"
        )
    if side > 1536:
        scale = 2.0 ** -math.ceil(math.log2(side / 1536))
        return Why(scale, f"images of {f.median[0]}×{f.median[1]} are worked on smaller, so that a crop shows context")
    return Why(1.0, "images are worked on as they are")


def _network(f: Fingerprint, scale: float, effort: float) -> Why:
    side = min(f.median) * scale
    stem = 2 if effort <= LONG and side >= 128 else 1
    depth = max(1, min(4, int(math.log2(max(2, side / 8 / stem)))))
    base, max_width = next((b, w) for most, b, w in WIDTHS if effort <= most)
    lighter = effort <= LONG
    record = UNetRecord(
        in_channels=f.channels,
        classes=len(f.classes),
        depth=depth,
        base=base,
        max_width=max_width,
        stem=stem,
        decoder_convolutions=1 if lighter else None,
    )
    seen = f"depth {depth}: the bottleneck still sees {side / stem / 2**depth:.0f} pixels a side"
    if not lighter:
        return Why(record, seen)
    thrift = "the first layer halves the grid (stem 2) and " if stem == 2 else ""
    return Why(
        record, f"{seen}; so that the time allows about a thousand steps, {thrift}layers are {base} … {max_width} wide"
    )


def _sampling(f: Fingerprint, scale: float, record: UNetRecord, device: DeviceSettings) -> Why:
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
    return Why(Sampling(crop=crop, batch=batch, crops_per_image=times), f"{seen}; {why}")


def _budget(budget: Budget | None, f: Fingerprint, sampling: Sampling) -> Why:
    if budget is not None:
        return Why(budget, "as asked for")
    steps = max(1, f.train * sampling.crops_per_image / sampling.batch)
    epochs = min(200, max(20, math.ceil(3000 / steps)))
    return Why(Budget(epochs=epochs), f"none was stated: {epochs} epochs are about {epochs * steps:.0f} steps")


def _optimizer() -> Why:
    settings = OptimizerSettings(name="muon", lr=6e-3, side_lr=3e-3, momentum=0.95)
    return Why(settings, "in few steps muon learns more than AdamW")


def _schedule() -> Why:
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
    if len(f.classes) > 2 and max(shares) > 10 * min(shares):
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


def _device(device: DeviceSettings, network: UNetRecord) -> Why:
    if device.accelerator != "cpu":
        return Why(device, "the fastest device present")
    narrow = network.level_widths[0] <= 32
    order = "narrow layers are faster pixel by pixel" if narrow else "wide layers are faster channel by channel"
    return Why(device.model_copy(update={"channels_last": narrow}), f"no other device is present; {order}")


def demand_fitting(plan: Plan, fingerprint: Fingerprint) -> None:
    """Nothing, if the plan's network suits the data and the crops suit the network.

    Raises:
        SettingError, DataError: they do not, as when a plan of other data is used; says what to set.
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
    if plan.model.dims != 2:
        raise SettingError(f"The plan's network has {plan.model.dims} dimensions, images have 2. Set model.dims=2.")
    if plan.model.padding == "valid":
        demand_fit(plan.model, *plan.sampling.crop)
    for name in plan.metrics:
        image_metrics[name]
