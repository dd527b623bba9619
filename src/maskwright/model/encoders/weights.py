"""First weights of a timm encoder: from timm's hub or a file, whole or not at all, with their licence."""

import contextlib
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from maskwright.errors import SettingError
from maskwright.model.encoders.taps import body, create, require_timm
from maskwright.model.encoders.timm import TimmEncoder
from maskwright.model.encoders.weightfiles import (
    HUB,
    PRETRAINED,
    config_beside,
    fetched,
    found,
    licence_beside,
    licence_on_hub,
    read,
)
from maskwright.records import Record

UNKNOWN: Final = "unknown"
# Under which names other programs keep an encoder.
PREFIXES: Final = ("module.", "_orig_mod.", "encoder.", "backbone.", "model.")
# Kept in some files, computed anew by the model.
COMPUTED: Final = ("num_batches_tracked", "relative_position_index", "relative_coords_table", "attn_mask")


class WeightsInfo(Record):
    """Where first weights come from, under which licence, and what images they want: for a model's provenance."""

    name: str
    """timm's name of the model, with the tag of the weights where they are timm's."""
    source: str
    """The repository on the hub, or the file's name without its folder."""
    sha256: str
    """Of the file."""
    licence: str = UNKNOWN
    note: str
    """Where the licence was read, or that it is to be looked up."""
    url: str | None = None
    mean: tuple[float, ...]
    """Of each channel of the images the weights were trained on, in 0 … 1: what is to be subtracted."""
    std: tuple[float, ...]
    """What is to be divided by then."""


def load_pretrained(encoder: TimmEncoder, source: str, in_channels: int) -> WeightsInfo:
    """Put weights into an encoder; says where they come from.

    The first convolution is adapted to the number of channels as timm does it: for one, its weights are summed over the
    channels; for others, they are repeated in turn and scaled, so that activations keep their size. A file whose first
    convolution already has as many channels is taken as it is.

    Args:
        encoder: Its `name` says which weights fit, and by its tag which are wanted of several.
        source: `pretrained` for timm's own, or the path of a .safetensors, .pth, .pt or .bin with the tensors of the
            whole model; its classifier is not needed.
        in_channels: Of the images.

    Raises:
        SettingError: the weights cannot be had (says how to fetch them by hand), are no plain tensors, or do not fit;
            the encoder is then as it was.
    """
    if in_channels != encoder.in_channels:
        raise SettingError(f"The encoder was built for {encoder.in_channels} channels, the images have {in_channels}.")
    config = require_timm().get_pretrained_cfg(encoder.name)
    path = fetched(encoder.name, config) if source == PRETRAINED else found(source)
    tensors, metadata = read(path)
    _fill(encoder, tensors, path)
    said = _said_by_timm(config) if source == PRETRAINED else _said_beside(encoder.name, config, path, metadata)
    return WeightsInfo(sha256=_sha256(path), **said)


def _fill(encoder: TimmEncoder, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put the tensors into the encoder, all that belong there or none."""
    heads = _heads(encoder.name)
    expected = _whole(encoder.name)
    tensors = _unwrapped(tensors, expected)
    overlay: dict[str, Any] = {}
    as_built = _whole(encoder.name, in_chans=encoder.in_channels)
    if any(name in tensors and tensors[name].shape == as_built[name].shape for name in _differing(expected, as_built)):
        expected, overlay = as_built, {"first_conv": None}  # nothing to adapt
    faults = _faults(_without(tensors, heads), _without(expected, heads))
    # A file by timm's names fits name by name. Of one by its author's names, which timm translates, only the outcome
    # can be looked at: whether anything in the encoder is not from the file.
    by_timms_names = not any(fault.endswith(" is missing") for fault in faults)
    if by_timms_names and faults:
        raise _misfit(encoder, path, faults)
    if by_timms_names:  # timm takes the lack of a classifier for a sign of its author's names
        empty = {name: torch.zeros(tensor.shape) for name, tensor in expected.items() if name.startswith(heads)}
        tensors = empty | dict(tensors)
    try:
        filled = _through_timm(encoder, tensors, overlay)
        bare = _left_bare(encoder, tensors, overlay)
    except (RuntimeError, KeyError, AttributeError, ValueError) as error:
        raise _misfit(encoder, path, faults) from error
    if bare:
        raise _misfit(encoder, path, faults or [f"{name} is missing" for name in bare])
    encoder.body.load_state_dict(filled.state_dict())


def _whole(name: str, **settings: Any) -> dict[str, Tensor]:
    """Names and shapes of the whole model with its classifier."""
    with torch.device("meta"):
        return create(name, **settings).state_dict()


def _through_timm(encoder: TimmEncoder, tensors: Mapping[str, Tensor], overlay: Mapping[str, Any]) -> nn.Module:
    """A new body with these weights: timm translates older names, adapts the first convolution, drops the head."""
    # The fork: what is drawn here and then written over must not move later draws.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"), _quiet():
        return body(
            encoder.name,
            encoder.taps,
            pretrained=True,
            pretrained_cfg_overlay={"state_dict": dict(tensors), **overlay},
        )


def _left_bare(encoder: TimmEncoder, tensors: Mapping[str, Tensor], overlay: Mapping[str, Any]) -> list[str]:
    """Names of what would be left as drawn: timm only logs it, so it is given NaN and asked where none arrives."""
    dyed = {name: torch.full_like(t, torch.nan) if t.is_floating_point() else t for name, t in tensors.items()}
    arrived = _through_timm(encoder, dyed, overlay).state_dict()
    return [name for name, tensor in arrived.items() if tensor.is_floating_point() and not tensor.isnan().any()]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without timm's log of what it leaves out of a file: the classifier, and what more is left is found here."""
    logger = logging.getLogger("timm.models._builder")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _heads(name: str) -> tuple[str, ...]:
    """What the names of the classifier's tensors begin with."""
    named = getattr(require_timm().get_pretrained_cfg(name), "classifier", None) or ()
    return tuple(f"{head}." for head in ((named,) if isinstance(named, str) else named))


def _without(tensors: Mapping[str, Tensor], heads: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors that have to fit."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if name.rpartition(".")[2] not in COMPUTED and not name.startswith(heads)
    }


def _unwrapped(tensors: Mapping[str, Tensor], expected: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """The tensors without the prefix under which the encoder is kept, and without what is not under it."""
    while not tensors.keys() & expected.keys():
        prefix = next((prefix for prefix in PREFIXES if any(name.startswith(prefix) for name in tensors)), None)
        if prefix is None:
            break
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return tensors


def _differing(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> list[str]:
    return [name for name in some if name in others and some[name].shape != others[name].shape]


def _faults(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    shapes = [f"{one} is {_shape(tensors[one])}, not {_shape(expected[one])}" for one in _differing(tensors, expected)]
    strange = [f"{name} is not of this model" for name in tensors if name not in expected]
    return shapes + strange + [f"{name} is missing" for name in expected if name not in tensors]


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "one number"


def _misfit(encoder: TimmEncoder, path: Path, faults: Sequence[str]) -> SettingError:
    some = "; ".join(faults[:3]) + (" …" if len(faults) > 3 else "")
    return SettingError(
        f"The weights in {path} do not fit {encoder.name!r}, {len(faults)} tensors: {some}. Nothing was loaded. "
        "Set encoder.name to the model they are of, or encoder.weights to a file for this one."
    )


def _said_by_timm(config: Any) -> dict[str, Any]:
    licence, where = config.license, "as timm lists it"
    if licence in (None, UNKNOWN) and config.hf_hub_id:
        licence, where = licence_on_hub(config.hf_hub_id.partition("@")[0]), "as the model card on the hub says"
    url = f"{HUB}/{config.hf_hub_id}" if config.hf_hub_id else config.url
    return {
        "name": f"{config.architecture}.{config.tag}".removesuffix("."),
        "source": f"{config.hf_hub_id} from the Hugging Face hub" if config.hf_hub_id else config.url,
        "licence": licence or UNKNOWN,
        "note": where if licence not in (None, UNKNOWN) else f"Look the licence up at {url}.",
        "url": url,
        "mean": config.mean,
        "std": config.std,
    }


def _said_beside(name: str, config: Any, path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    beside = config_beside(path, name.partition(".")[0])
    licence, where = licence_beside(path, metadata)
    if licence is None and beside.get("license"):
        licence, where = beside["license"], "config.json beside the file"
    statistics = require_timm().data
    return {
        "name": name,
        "source": path.name,
        "licence": licence or UNKNOWN,
        "note": f"read in {where}" if licence else "Look the licence up where the file came from.",
        "url": beside.get("origin_url"),
        # The file's own where they are known, else those of timm's weights for this model.
        "mean": beside.get("mean") or getattr(config, "mean", statistics.IMAGENET_DEFAULT_MEAN),
        "std": beside.get("std") or getattr(config, "std", statistics.IMAGENET_DEFAULT_STD),
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
