"""The plan of a recipe."""

from collections.abc import Mapping
from typing import Any

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.preprocess import LUMINANCE, Preprocess
from maskwright.devices import DeviceSettings
from maskwright.plan import rules
from maskwright.plan.fitting import with_outputs
from maskwright.plan.record import Plan
from maskwright.recipes import Recipe
from maskwright.settings import Budget


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
    where, tiles = rules.memory_format(device, network), rules.tiles(device, network)
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
    plan = with_outputs(draft.with_wishes(wishes or {}), draft)
    if plan.preprocess.size == draft.preprocess.size or draft.sampling.crop != draft.preprocess.size:
        return plan
    # The recipe trains on whole images, so it does at another size too; a wish for the crop itself comes last.
    return with_outputs(draft.with_wishes({"sampling.crop": plan.preprocess.size, **(wishes or {})}), draft)


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
