"""Where a timm model gives its features, and what it needs for them.

Not taken from timm's description of the model, but seen by trying it once on the meta device, which computes shapes and
no numbers: the maps and their layout, which parameters each needs, and which none does.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor, nn

from maskwright.errors import SettingError

# What frees a model from the one size it was made for, tried in this order; most need nothing, Swin does.
FREEDOMS: Final[tuple[dict[str, Any], ...]] = ({}, {"strict_img_size": False})
# What timm raises, by model and version, where a model has no features or does not take a size.
UNSUITABLE: Final = (RuntimeError, TypeError, ValueError, AssertionError, AttributeError, LookupError)
INSTEAD: Final = "Choose another encoder, such as resnet34 or convnext_tiny."


@dataclass(frozen=True)
class Taps:
    """Where a timm model gives its features, and what it needs for them."""

    options: Mapping[str, Any]
    """For `timm.create_model`."""
    places: tuple[int, ...]
    """The maps are at strides 2**place."""
    channels: tuple[int, ...]
    channels_last: bool
    """Whether the maps are B H W C, as Swin's."""
    levels: tuple[tuple[str, ...], ...]
    """Names of the parameters that each map needs and none before it."""
    dropped: tuple[str, ...] = ()
    """Names of modules that no map needs and that the model runs without."""
    idle: tuple[str, ...] = ()
    """Names of further parameters that no map needs."""


def require_timm() -> ModuleType:
    """The package timm.

    Raises:
        SettingError: it is not installed; says how to.
    """
    try:
        import timm
    except ModuleNotFoundError as error:
        raise SettingError(
            f"Encoders other than plain and residual are timm's, and {error.name} is not installed. "
            'Install it: pip install "maskwright[timm]"'
        ) from None
    return timm


def create(name: str, **options: Any) -> nn.Module:
    """What `timm.create_model` gives, on the default device, which may be the meta device."""
    timm = require_timm()
    try:
        model: nn.Module = timm.create_model(name, **options)
    except RuntimeError:
        if torch.get_default_device().type != "meta":
            raise
        # Older timm looks at numbers while it builds some models: so with numbers, which are forgotten.
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            model = timm.create_model(name, **options).to("meta")
    return model


def body(name: str, taps: Taps, **settings: Any) -> nn.Module:
    """A timm model that gives the maps of `taps` as a list; `settings` go to `timm.create_model` as well."""
    model = create(name, features_only=True, **taps.options, **settings)
    _drop(model, taps.dropped)
    for parameter in taps.idle:
        model.get_parameter(parameter).requires_grad_(False)
    return model


@lru_cache(maxsize=64)
def taps_of(name: str, depth: int, in_channels: int) -> Taps:
    """Where the model called `name` gives its features down to stride 2**depth."""
    demand_known(name)
    refusals = []
    with torch.inference_mode(False), torch.enable_grad(), torch.device("meta"):
        places, indices = _places(name, depth)
        for freedom in FREEDOMS:
            try:
                return _tried(name, {"in_chans": in_channels, "out_indices": indices, **freedom}, places)
            except SettingError as refusal:
                refusals.append(refusal)
    raise refusals[0]


def demand_known(name: str) -> None:
    """Nothing, where timm has a model of this name and, if the name has a tag, weights of this tag.

    Raises:
        SettingError: it has not; names the nearest it has.
    """
    timm = require_timm()
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"Did you mean {' or '.join(map(repr, close))}?" if close else "timm.list_models() gives all its names."
        raise SettingError(
            f"encoder.name is {name!r}, which is neither plain, nor residual, nor a model of timm. {hint}"
        )
    model, _, tag = name.partition(".")
    known = [pretrained.partition(".")[2] for pretrained in timm.list_pretrained(f"{model}.*")]
    if tag and tag not in known:
        raise SettingError(f"timm's {model!r} has no weights tagged {tag!r}. Known: {', '.join(known) or 'none'}.")


def _places(name: str, depth: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The powers of two that are strides of the model, down to 2**depth, and timm's indices of these features."""
    features: Any = _made(name, {}).feature_info
    # Several at one stride: the deepest. One without a module (the first of TResNet) cannot be had.
    last = {int(info["reduction"]): index for index, info in enumerate(features.info) if info["module"]}
    has = f"timm's {name!r} has features at strides {', '.join(map(str, last))}"
    if len(last) == 1:
        raise SettingError(f"{has} only, so it has no skips for a U-Net. {INSTEAD}")
    if 2**depth not in last:
        depths = [str(possible) for possible in range(1, 9) if 2**possible in last]
        advice = f"Set depth to {' or '.join(depths)}." if depths else INSTEAD
        raise SettingError(f"{has}, none at {2**depth}, which depth {depth} wants. {advice}")
    places = tuple(place for place in range(depth + 1) if 2**place in last)
    return places, tuple(last[2**place] for place in places)


def _made(name: str, options: Mapping[str, Any]) -> nn.Module:
    try:
        model = create(name, features_only=True, **options)
    except UNSUITABLE as error:
        raise SettingError(f"timm's {name!r} cannot be made an encoder ({_said(error)}). {INSTEAD}") from error
    return model.eval()


def _tried(name: str, options: Mapping[str, Any], places: tuple[int, ...]) -> Taps:
    # Odd multiples and unequal sides: only a model that is free in its size takes these, and no axis is mistaken.
    stride = 2 ** places[-1]
    times = max(3, 48 // stride | 1)
    images = torch.zeros(1, options["in_chans"], times * stride, (times + 2) * stride)
    model = _made(name, options)
    try:
        maps = model(images)
    except UNSUITABLE as error:
        raise SettingError(
            f"timm's {name!r} does not take every image whose sides are multiples of {stride}: "
            f"{images.shape[2]}×{images.shape[3]} failed ({_said(error)}). {INSTEAD}"
        ) from error
    channels_last = _demand_halved(name, images, maps, places)
    levels, idle = _levels(model, maps)
    dropped = _modules_of(model, idle)
    if dropped and not _runs_without(model, dropped, images, maps):
        dropped = ()
    return Taps(
        options=options,
        places=places,
        channels=tuple(int(features.shape[-1 if channels_last else 1]) for features in maps),
        channels_last=channels_last,
        levels=levels,
        dropped=dropped,
        idle=tuple(one for one in idle if not one.startswith(tuple(f"{module}." for module in dropped))),
    )


def _demand_halved(name: str, images: Tensor, maps: Sequence[Tensor], places: tuple[int, ...]) -> bool:
    """Whether the maps are B H W C; each is exactly 2**place times smaller than the images."""
    sides = [tuple(side // 2**place for side in images.shape[2:]) for place in places]
    if all(features.shape[1:3] == side for features, side in zip(maps, sides, strict=True)):
        return True
    for features, side, place in zip(maps, sides, places, strict=True):
        if features.shape[2:] != side:
            raise SettingError(
                f"timm's {name!r} does not halve exactly: of {images.shape[2]}×{images.shape[3]} pixels its map at "
                f"stride {2**place} has {'×'.join(map(str, features.shape[2:]))}, not {side[0]}×{side[1]}. {INSTEAD}"
            )
    return False


def _levels(model: nn.Module, maps: Sequence[Tensor]) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    """Names of the parameters that each map needs and none before it, and of those that no map needs."""
    names = {id(parameter): name for name, parameter in model.named_parameters() if parameter.requires_grad}
    seen: set[Any] = set()
    levels = []
    for features in maps:
        needed = set()
        ahead: list[Any] = [features.grad_fn]
        while ahead:  # along the graph that a backward pass would follow; its leaves hold the parameters
            node = ahead.pop()
            if node is not None and node not in seen:
                seen.add(node)
                needed.add(id(getattr(node, "variable", None)))
                ahead += [before for before, _ in node.next_functions]
        levels.append(tuple(name for key, name in names.items() if key in needed))
    used = {name for level in levels for name in level}
    return tuple(level for level in levels if level), tuple(name for name in names.values() if name not in used)


def _modules_of(model: nn.Module, names: Sequence[str]) -> tuple[str, ...]:
    """The outermost modules all of whose parameters are among these names."""
    found: list[str] = []
    for path, module in model.named_modules():
        inside = {f"{path}.{name}" for name, _ in module.named_parameters()}
        if path and inside and inside <= set(names) and not path.startswith(tuple(f"{outer}." for outer in found)):
            found.append(path)
    return tuple(found)


def _drop(model: nn.Module, modules: Sequence[str]) -> None:
    for module in modules:
        model.set_submodule(module, nn.Sequential())  # passes on what it gets, and may be gone through as a list


def _runs_without(model: nn.Module, modules: Sequence[str], images: Tensor, maps: Sequence[Tensor]) -> bool:
    _drop(model, modules)
    try:
        return [features.shape for features in model(images)] == [features.shape for features in maps]
    except UNSUITABLE:  # what was dropped feeds what is left, though none of it is looked at
        return False


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
