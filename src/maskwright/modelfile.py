"""The model file: everything a model is, in one `.safetensors`. Data, not code: loading never unpickles.

Tensors: the weights under `weights.…`, and a golden sample (`golden.image`, `golden.logits`) that is computed again on
load: a model that no longer says what it said when it was made does not load. All else is JSON in the metadata.

A file may hold several models whose probabilities are averaged; `inference.ensemble` writes and reads those.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import Labels
from maskwright.data.preprocess import Preprocess
from maskwright.errors import ModelFileError, SettingError
from maskwright.familiar import Familiar
from maskwright.hub import located
from maskwright.model import UNet, UNetRecord
from maskwright.plan import Plan
from maskwright.records import Record, replacing

VERSION: Final = 3
"""The format, which is raised when older readers would not understand a file. 2 brought several members, 3 learned
objects, views, images' own statistics and what is familiar."""
KEY: Final = "maskwright"
TOLERANCE: Final = 1e-3
"""Of the golden logits' size. Other processors and thread counts add in another order: some 1e-6, seen up to 1e-5."""


class Description(Record):
    """All that a model file says beside its weights."""

    version: int = VERSION
    maskwright: str
    """Version of the package that wrote the file."""
    network: UNetRecord
    """Of several members the first one's; so is what else may differ between them."""
    preprocess: Preprocess
    labels: Labels
    plan: Plan
    fingerprint: Fingerprint
    scores: dict[str, Any] = {}
    """By part, as evaluated at the end of the training."""
    provenance: dict[str, Any] = {}
    """When, on what, how long, with which versions."""
    split: dict[str, tuple[str, ...]] = {}
    """Content hashes of the images of each part: what has been trained on is known wherever it lies. Of several members
    an image may be in two parts."""
    familiar: Familiar | None = None
    """What the training images looked like; None: it was not measured. Of several members each has its own."""
    members: tuple["Description", ...] = ()
    """Each member's own, where the file holds several models."""


@dataclass(frozen=True)
class Model:
    """A network in evaluation mode with its description."""

    network: UNet
    description: Description

    def to(self, device: str | torch.device) -> Self:
        """The same on another device."""
        self.network.to(device)
        return self


def save(path: str | Path, weights: dict[str, Tensor], description: Description, golden_CHW: Tensor) -> Path:
    """Write a model file, atomically. Returns the path.

    golden_CHW: a normalised image, float32, whose size fits the network; the logits of the weights on it are kept.
    """
    weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    golden_CHW = golden_CHW.cpu().contiguous().clone()
    network = _built(description.network, weights)
    with torch.inference_mode():
        logits_KHW = network.logits(golden_CHW[None])[0].contiguous().clone()
    tensors = {f"weights.{name}": tensor for name, tensor in weights.items()}
    tensors |= {"golden.image": golden_CHW, "golden.logits": logits_KHW}
    return write(path, tensors, description)


def write(path: str | Path, tensors: dict[str, Tensor], description: Description) -> Path:
    """Write tensors with a description, atomically. Returns the path.

    Raises:
        ModelFileError: the disk is full or cannot be written to.
    """
    path = Path(path)
    text = description.model_copy(update={"version": VERSION}).model_dump_json()
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata={KEY: text, "format": "pt"})
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            f"{path} could not be written ({error}). Free some space, or give another --out."
        ) from error
    return path


def _text(description: Description) -> str:
    """The description as JSON, without what stands beside it."""
    if not description.members:
        # Readers of format 1 know no members: they are not told that there are none.
        return description.model_dump_json(exclude={"members", "familiar"})
    return description.model_dump_json(exclude={"familiar": True, "members": {"__all__": {"familiar"}}})


def load(path: str | Path) -> Model:
    """The model in a file, in evaluation mode on the CPU, checked against its golden sample.

    Raises:
        ModelFileError: it is no model file of ours, is damaged, or comes from a later version.
    """
    description, tensors = read(path)
    if description.members:
        raise ModelFileError(
            f"{path} holds {len(description.members)} models, and one was expected. maskwright.load opens all of them."
        )
    return assembled(path, description, tensors)


def assembled(path: str | Path, description: Description, tensors: dict[str, Tensor]) -> Model:
    """The model that a description and its tensors make, checked. path: named in errors.

    Raises:
        ModelFileError: they do not fit each other, or are damaged.
    """
    weights = {name.removeprefix("weights."): t for name, t in tensors.items() if name.startswith("weights.")}
    try:
        network = _built(description.network, weights)
    except RuntimeError as error:
        raise ModelFileError(f"The weights in {path} do not fit its network: {error}") from None
    _check_golden(path, network, tensors)
    return Model(network, description)


def describe(path: str | Path) -> Description:
    """What the file says of itself, without its weights."""
    return read(path, weights=False)[0]


def read(path: str | Path, *, weights: bool = True) -> tuple[Description, dict[str, Tensor]]:
    """The description in a file and its tensors, as they stand there; without weights none. What reads a model file
    reads it here, so that a name on the Hugging Face Hub (`hub.located`) does wherever a path does.

    Raises:
        ModelFileError: it is no model file of ours, is damaged, or comes from a later version.
        SettingError, DownloadError: it is on the Hub, and cannot be had from there.
    """
    path = located(path)
    _refuse_strangers(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            text = metadata.get(KEY)
            tensors = {name: file.get_tensor(name) for name in (file.keys() if weights and text else ())}
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged or cut short ({error}). Copy it again from where it came.") from None
    if text is None:
        raise ModelFileError(
            f"{path} holds tensors but was not written by Maskwright, so it cannot be used as a model."
        )
    try:
        values = json.loads(text)
        version = int(values.get("version", 0))
    except (ValueError, AttributeError, TypeError, KeyError, OverflowError, RecursionError):
        raise ModelFileError(f"The description in {path} is damaged. Copy the file again from where it came.") from None
    if version > VERSION:
        raise ModelFileError(
            f"{path} was written by a later version (format {version}, Maskwright {values.get('maskwright')}); this "
            f"one reads up to format {VERSION}. Update: pip install --upgrade maskwright"
        )
    try:
        return Description.read(values, str(path)), tensors
    except SettingError as error:
        raise ModelFileError(f"The description in {path} is damaged.\n{error}") from None


def _refuse_strangers(path: Path) -> None:
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist. A model file is the model.safetensors of a run folder.")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error}). Check its permissions.") from None
    # A safetensors file starts with the length of its JSON header, 8 bytes, and an opening brace. The length may well
    # begin as a pickle or a zip does, so the brace is looked at first.
    if head[8:9] == b"{":
        return
    if head[:2] == b"PK" or head[:1] == b"\x80":
        raise ModelFileError(
            f"{path} is a pickle, whatever its name says. Opening one can run any code, so Maskwright never does. "
            "A model file is a .safetensors written by maskwright train."
        )
    raise ModelFileError(f"{path} is not a model file. One is written by maskwright train, as model.safetensors.")


def _built(record: UNetRecord, weights: dict[str, Tensor]) -> UNet:
    with torch.device("meta"):  # drawing fresh weights for a large network would take longer than reading them
        network = UNet.from_record(record)
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def _check_golden(path: str | Path, network: UNet, tensors: dict[str, Tensor]) -> None:
    if not {"golden.image", "golden.logits"} <= tensors.keys():
        raise ModelFileError(f"{path} has no golden sample to be checked with. Copy it again from where it came.")
    expected = tensors["golden.logits"]
    try:
        with torch.inference_mode():
            found = network.logits(tensors["golden.image"][None])[0]
        difference = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    except RuntimeError as error:  # another shape or kind of number than was written
        raise ModelFileError(f"The golden sample in {path} is damaged ({error}). Copy the file again.") from None
    if not difference <= TOLERANCE:
        raise ModelFileError(
            f"{path} no longer computes what it did when it was written: logits differ by {difference:.2g} "
            f"of their size, allowed is {TOLERANCE:g}. The file is damaged, or this installation of torch is."
        )
