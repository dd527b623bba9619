"""Files of weights: found, fetched from timm's hub, read without running code, and what is said of their licence."""

import argparse
import contextlib
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from safetensors import SafetensorError, safe_open
from torch import Tensor

from maskwright.errors import SettingError
from maskwright.model.encoders.taps import require_timm

PRETRAINED: Final = "pretrained"
PICKLES: Final = (".pth", ".pt", ".bin")
# How training programs name the part of their checkpoint that is the weights.
BOXES: Final = ("state_dict", "model")
HUB: Final = "https://huggingface.co"


def found(source: str) -> Path:
    """The file at a path that the user gave."""
    path = Path(source).expanduser()
    if not path.is_file():
        raise SettingError(
            f"encoder.weights is {source!r}, and no such file exists. Give the path of a .safetensors, .pth, .pt or "
            f".bin file, or {PRETRAINED!r} for timm's own."
        )
    return path


def fetched(name: str, config: Any) -> Path:
    """The file with timm's own weights, downloaded unless it is in the cache."""
    if config is None or not (config.hf_hub_id or config.url):
        have = require_timm().list_pretrained(f"{name.partition('.')[0]}.*")
        raise SettingError(
            f"timm has no weights for {name!r}. With weights: {', '.join(have) or 'none of this model'}. "
            "Set encoder.weights to the path of a file, or to null for random ones."
        )
    if config.hf_hub_id:
        names = [config.hf_hub_filename] if config.hf_hub_filename else ["model.safetensors", "pytorch_model.bin"]
        return _from_hub(config.hf_hub_id, names)
    return _from_url(config.url)


def _from_hub(repository: str, names: Sequence[str]) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, _, revision = repository.partition("@")
    for name in names:
        try:
            return Path(huggingface_hub.hf_hub_download(repository, name, revision=revision or None))
        except Exception as error:  # whatever its client of the day raises
            absent = isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError)
            if not absent or name == names[-1]:
                raise _unreachable(names[0], f"{HUB}/{repository}", error) from error
    raise AssertionError("names is never empty")


def _from_url(url: str) -> Path:
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=False)
        except Exception as error:  # urllib's, the socket's, or torch's own for a wrong check sum
            raise _unreachable(path.name, url, error) from error
    return path


def _unreachable(file: str, address: str, error: Exception) -> SettingError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return SettingError(
        f"The weights could not be downloaded ({reason[0]}). Connect to the network and start again; or download "
        f"the file {file} from {address} on another machine, bring it here and set encoder.weights=PATH."
    )


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by name, out of their box, and the file's metadata."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise SettingError(f"{path} is damaged or cut short ({error}). Copy it again from where it came.") from None
    if path.suffix not in PICKLES:
        raise SettingError(
            f"{path} is no file of weights that can be read: these end in .safetensors, {', '.join(PICKLES)}."
        )
    try:
        # timm's training script puts its arguments beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SettingError(
            f"{path} holds more than tensors, and opening that could run any code, so it is not opened "
            f"({str(error).splitlines()[0]}). Where you made it, keep the weights alone: "
            "torch.save(model.state_dict(), PATH)"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise SettingError(f"{path} is damaged or cut short ({error}). Copy it again from where it came.") from None
    for box in BOXES:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(box), Mapping):
            loaded = loaded[box]
            break
    tensors = {name: value.detach() for name, value in _items(loaded) if isinstance(value, Tensor)}
    if not tensors:
        raise SettingError(f"{path} holds no weights by name. Save them with torch.save(model.state_dict(), PATH).")
    return tensors, {}


def _items(loaded: Any) -> list[tuple[str, Any]]:
    return [(str(name), value) for name, value in loaded.items()] if isinstance(loaded, Mapping) else []


def licence_on_hub(repository: str) -> str | None:
    """The licence that a repository's model card names, if the card can be had and names one."""
    try:
        return _licence_of_card(_from_hub(repository, ["README.md"]))
    except SettingError:  # the weights are here already; their licence is then to be looked up
        return None


def licence_beside(path: Path, metadata: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The licence that a file's metadata, or else a model card or LICENSE beside it, names, and where that was."""
    for key in ("license", "licence"):
        if metadata.get(key):
            return metadata[key], "the file's metadata"
    card = path.with_name("README.md")
    if card.is_file() and (licence := _licence_of_card(card)):
        return licence, "the model card README.md beside the file"
    for text in sorted(path.parent.glob("LICEN[SC]E*")):
        lines = [line.strip() for line in text.read_text("utf-8", errors="replace").splitlines() if line.strip()]
        if lines:
            return lines[0][:80], f"the first line of {text.name} beside the file"
    return None, None


def config_beside(path: Path, architecture: str) -> dict[str, Any]:
    """What timm's config.json beside a file says of these weights; empty where there is none for this model."""
    with contextlib.suppress(OSError, ValueError):  # any program may have put a config.json there
        config = json.loads(path.with_name("config.json").read_text("utf-8"))
        if isinstance(config, dict) and config.get("architecture") == architecture:
            said = config.get("pretrained_cfg")
            return said if isinstance(said, dict) else {}
    return {}


def _licence_of_card(path: Path) -> str | None:
    """The licence in the YAML between two lines of dashes that a model card begins with."""
    parts = path.read_text("utf-8", errors="replace").split("---", 2)
    if len(parts) < 3 or parts[0].strip():
        return None
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError:  # a rule of dashes in a text that is no model card
        return None
    if not isinstance(front, dict):
        return None
    licence = front.get("license_name") if front.get("license") == "other" else front.get("license")
    return ", ".join(map(str, licence)) if isinstance(licence, list) else licence and str(licence)
