"""A network by a recipe's name, or by a record in any form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwright.model import UNet, UNetRecord, encoders
from maskwright.recipes.recipe import Recipe, recipe
from maskwright.records import parse


def build(
    what: str | Path | Recipe | UNetRecord | Mapping[str, Any], *, pretrained: bool = False, **changes: Any
) -> UNet:
    """A network as a plain `nn.Module`: images B C H W in, logits out.

    >>> build("carvana-unet")(torch.zeros(1, 3, 96, 128)).shape  # doctest: +SKIP
    torch.Size([1, 1, 96, 128])

    what: a recipe's name, a record, or a record's values: a mapping, JSON or YAML, or a file of it.
    changes: settings to be changed, e.g. `down="strided"`, `in_channels=1`.
    pretrained: whether the encoder's weights are fetched, if the record names any.

    Raises:
        SettingError: there is no such recipe, a setting is unknown or does not fit, or the weights are not to be had.
    """
    network = UNet.from_record(record_of(what).with_settings(changes))
    if pretrained:
        encoders.load_weights(network.encoder, network.record)
    return network


def record_of(what: str | Path | Recipe | UNetRecord | Mapping[str, Any]) -> UNetRecord:
    """The record that is meant."""
    if isinstance(what, UNetRecord):
        return what
    if isinstance(what, Recipe):
        return what.model
    if isinstance(what, Mapping):
        return UNetRecord.read(what, "build(…)")
    text = str(what).strip()
    if text.startswith("{"):
        return record_of(parse(text))
    if text.endswith((".json", ".yaml", ".yml")) and not _is_recipe(Path(text)):
        return UNetRecord.load(text)
    return recipe(text).model


def _is_recipe(path: Path) -> bool:
    values = parse(path.read_text("utf-8")) if path.is_file() else None
    return isinstance(values, dict) and "model" in values
