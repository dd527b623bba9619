"""Ensembles: several models whose probabilities are averaged, each counting the same, in memory or as one model file.

The mean is of probabilities, as nnU-Net takes it of its folds (Isensee et al. 2021). A file has each member's tensors
under `members.0.…`, with its golden sample, and one golden sample of the whole: a small image as it would be stored,
`golden.image` C H W, and what the ensemble says of it, `golden.probabilities` K H W.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskwright import modelfile
from maskwright._version import __version__
from maskwright.anysize import as_probabilities, enlarged_rows, image_logits
from maskwright.errors import DataError, ModelFileError, SettingError
from maskwright.modelfile import TOLERANCE, Description, Model

PARTS: Final = ("train", "val", "test")


@dataclass(frozen=True)
class Ensemble:
    """One model or several, with what they say together."""

    members: tuple[Model, ...]
    description: Description
    """Of a single member its own."""


def load(path: str | Path) -> Ensemble:
    """The models in a file: one, or the members of an ensemble; all checked.

    Raises:
        ModelFileError: it is no model file of ours, is damaged, or comes from a later version.
    """
    description, tensors = modelfile.read(path)
    members = tuple(modelfile.assembled(path, *part) for part in _parts(description, tensors))
    ensemble = Ensemble(members, description)
    if description.members:
        _check_golden(path, ensemble, tensors)
    return ensemble


def joined(models: Sequence[Model | Ensemble], names: Sequence[str] | None = None) -> Ensemble:
    """Several models as one; the members of an ensemble among them become members of the new one.

    names: what each is called in errors.

    Raises:
        SettingError: there is none, or they do not fit: channels, kind of value and classes must be the same.
    """
    if len(models) == 1 and isinstance(models[0], Ensemble):
        return models[0]
    called: list[str] = []
    members: list[Model] = []
    for n, model in enumerate(models):
        inside = model.members if isinstance(model, Ensemble) else (model,)
        members += inside
        called += [names[n] if names else f"model {n + 1}"] * len(inside)
    if not members:
        raise SettingError("An ensemble needs a model.")
    about = [member.description for member in members]
    for name, one in zip(called[1:], about[1:], strict=True):
        _demand_fit(called[0], about[0], name, one)
    return Ensemble(tuple(members), about[0] if len(about) == 1 else _described(about))


def save(path: str | Path, files: Sequence[str | Path], said: Mapping[str, Any] | None = None) -> Path:
    """Write the models of several files as one self-contained file, atomically. Returns its path.

    said: parts of the description to be as given: scores, fingerprint …

    Raises:
        SettingError: there are fewer than two models, or they do not fit together.
        ModelFileError: a file does not open, or the new one cannot be written.
    """
    parts: list[tuple[Description, dict[str, Tensor]]] = []
    names: list[str] = []
    for file in files:
        own = _parts(*modelfile.read(file))
        parts += own
        names += [str(file)] * len(own)
    if len(parts) < 2:
        raise SettingError("An ensemble file needs two models or more; one alone is a model file already.")
    ensemble = joined([modelfile.assembled(name, *part) for name, part in zip(names, parts, strict=True)], names)
    description = ensemble.description.model_copy(update=dict(said or {}))
    tensors = {f"members.{n}.{name}": tensor for n, (_, own) in enumerate(parts) for name, tensor in own.items()}
    image_CHW = _as_stored(ensemble.members[0].description, tensors["members.0.golden.image"])
    tensors["golden.image"] = image_CHW
    tensors["golden.probabilities"] = _mean_probabilities(ensemble, image_CHW)
    return modelfile.write(path, tensors, description)


def golden_image(path: str | Path) -> NDArray[Any]:
    """The golden sample of a model file as an image H W C, as it would be stored.

    Raises:
        ModelFileError: it is no model file of ours, or is damaged.
    """
    description, tensors = modelfile.read(path)
    image_CHW = tensors["golden.image"]
    if not description.members:  # one model's is kept as its network sees it
        image_CHW = _as_stored(description, image_CHW)
    return image_CHW.permute(1, 2, 0).contiguous().numpy().astype(description.preprocess.dtype)


def _parts(description: Description, tensors: dict[str, Tensor]) -> list[tuple[Description, dict[str, Tensor]]]:
    """Each member's description with its tensors, under the names they have in a file of their own."""
    if not description.members:
        return [(description, tensors)]
    parts = []
    for n, member in enumerate(description.members):
        start = f"members.{n}."
        own = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        parts.append((member, own))
    return parts


def _demand_fit(first: str, a: Description, name: str, b: Description) -> None:
    """Nothing, if an image suits both models and both say the same classes of it.

    Networks, working sizes and normalisation may differ: each member prepares the image for itself.
    """
    pairs = {
        "channels": (a.preprocess.channels, b.preprocess.channels),
        "kind of value": (a.preprocess.dtype, b.preprocess.dtype),
        "classes": (a.labels.names, b.labels.names),
        "mask values": ([c.values[0] for c in a.labels.classes], [c.values[0] for c in b.labels.classes]),
        "way to write masks": (a.labels.style.mode, b.labels.style.mode),
        "way to learn objects": (a.labels.outputs[a.labels.count :], b.labels.outputs[b.labels.count :]),
    }
    for what, (one, other) in pairs.items():
        if one != other:
            raise SettingError(
                f"{first} and {name} cannot be averaged: the {what} of the first: {_words(one)}; of the other: "
                f"{_words(other)}. Models of an ensemble need the same channels, kind of value, classes and mask "
                "values; networks, sizes and normalisation may differ."
            )


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _described(members: Sequence[Description]) -> Description:
    """What several models say together; what differs is the first one's."""
    first = members[0]
    # An image that one member has trained on and another validated on is in both parts: the ensemble has seen it.
    split = {part: tuple(dict.fromkeys(c for m in members for c in m.split.get(part, ()))) for part in PARTS}
    return first.model_copy(
        update={
            "maskwright": __version__,
            "scores": {},
            "provenance": {
                "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "data": ", ".join(dict.fromkeys(str(m.provenance.get("data", "unknown")) for m in members)),
                "members": len(members),
            },
            "split": split,
            "familiar": None,  # each member has its own
            "members": tuple(members),
        }
    )


def _as_stored(about: Description, golden_CHW: Tensor) -> Tensor:
    """An image C H W as it would be stored, in float32, that looks like a golden sample."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (about.preprocess.mean, about.preprocess.std))
    stored_CHW = golden_CHW * std + mean
    if about.preprocess.dtype != "float32":
        limits = np.iinfo(about.preprocess.dtype)
        stored_CHW = stored_CHW.round().clamp(int(limits.min), int(limits.max))
    return stored_CHW.contiguous()


@torch.inference_mode()
def _mean_probabilities(ensemble: Ensemble, image_CHW: Tensor) -> Tensor:
    """What the ensemble says of a small image as stored, K H W: the plain way, which the predictor's must equal."""
    shares = []
    for member in ensemble.members:
        about = member.description
        image_HWC: NDArray[Any] = image_CHW.permute(1, 2, 0).numpy().astype(about.preprocess.dtype)
        logits_Khw = image_logits(member.network, about.preprocess(image_HWC), about.plan.tiles)
        height, width = image_HWC.shape[:2]
        shares.append(as_probabilities(enlarged_rows(logits_Khw, (height, width), 0, height)))
    return torch.stack(shares).mean(0).contiguous()


def _check_golden(path: str | Path, ensemble: Ensemble, tensors: dict[str, Tensor]) -> None:
    try:
        found = _mean_probabilities(ensemble, tensors["golden.image"])
        difference = float((found - tensors["golden.probabilities"]).abs().max())
    except (KeyError, RuntimeError, IndexError, TypeError, ValueError, DataError) as error:  # not as it was written
        raise ModelFileError(f"The golden sample in {path} is damaged ({error}). Copy the file again.") from None
    if not difference <= TOLERANCE:
        raise ModelFileError(
            f"{path} no longer computes what it did when it was written: probabilities differ by {difference:.2g}, "
            f"allowed is {TOLERANCE:g}. The file is damaged, or this installation of torch is."
        )
