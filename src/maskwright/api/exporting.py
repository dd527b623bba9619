"""Exporting: a model as a file that other programs run, with a certificate of what it was seen to do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright.api.looking import Watch, telling
from maskwright.data.index import index
from maskwright.data.sample import Sample, Samples
from maskwright.devices import cores
from maskwright.errors import DataError, SettingError
from maskwright.exports import Case, Certificate, Options, made, ready
from maskwright.hub import located, on_hub
from maskwright.inference import ensemble
from maskwright.inference.looks import with_views
from maskwright.modelfile import Description
from maskwright.tiling import Views

CALIBRATION = 32
"""Training images that the ranges of 8-bit integers are fitted to."""


def export(
    model: str | Path,
    to: str = "onnx",
    out: str | Path | None = None,
    *,
    data: str | Path | Samples | None = None,
    images: int = 16,
    tolerance: float | None = None,
    int8: bool = False,
    views: Views | None = None,
    said: Mapping[str, str] | None = None,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> Certificate:
    """Export a model file, run the export beside PyTorch, and keep it if it says the same. Returns what was seen.

    to: a kind on the open list `maskwright.exports`. out: default, the model's name with the kind's ending, beside it;
        of a model on the Hub it must be said.
    data: a folder with labelled images, or samples; default: those of the run that the model lies in. Up to `images` of
    its validation images are compared; without any, the golden sample alone.
    tolerance: the largest difference of a probability, default 1e-3; with int8 the mean IoU that may be lost, 0.005.
    int8: compute in 8-bit integers, their ranges fitted to training images of `data`.
    views: in which ways the export looks at each image, where that is not the model's plan's; None: as the plan says.
    said: what only you can say, e.g. {"author": "Ada Lovelace", "licence": "CC-BY-4.0"}; bioimageio asks for both.

    Raises:
        ModelFileError: it is no model of ours.
        SettingError: the kind is unknown, lacks a package or cannot hold this model, or `out` is there already.
        DataError: the data have other classes, or nothing to compare on.
        ExportError: the export does not say what the model says; nothing is kept.
    """
    part = ready(to)
    if out is None and on_hub(model):
        raise SettingError(f"{model} lies in the Hub's cache, which is no place for an export. Say where with --out.")
    target = Path(model).with_suffix(part.suffix) if out is None else Path(out)
    if not target.name.endswith(part.suffix):
        raise SettingError(f"{target} should end in {part.suffix}, as files of {to} do.")
    if target.exists() and not overwrite:
        raise SettingError(f"{target} is there already. Give another --out, or --overwrite what is there.")
    path = located(model)
    opened = with_views(ensemble.load(path), views)
    about = opened.description
    samples = _samples(path, data, watch)
    cases: list[Case] = []
    calibration: list[Any] = []
    notes: list[str] = []
    if samples is None:
        notes.append("No labelled images were at hand, so the golden sample alone was compared. Name a folder: --data")
    else:
        _demand_same_classes(about, samples)
        cases, note = _cases(samples, about, images)
        notes += note
        if int8:
            calibration = [samples.image(s) for s in _spread(_known(samples, about, "train"), CALIBRATION)]
    if int8 and not calibration:
        raise SettingError(
            "8-bit integers are fitted to the images the model was trained on. Name their folder: --data"
        )
    return made(
        opened, to, target, ensemble.golden_image(path), cases,
        options=Options(path, calibration, said or {}), tolerance=tolerance, notes=notes,
    )  # fmt: skip


def _samples(model: Path, data: str | Path | Samples | None, watch: Watch | None) -> Samples | None:
    if isinstance(data, Samples):
        return data
    if data is not None:
        return index(data, workers=cores(), progress=telling(watch, "reading"))
    listed = model.parent / "samples.json"
    found = Samples.load(listed) if listed.is_file() else None
    # The images may have moved since.
    return found if found is not None and Path(found.root).exists() else None


def _known(samples: Samples, about: Description, part: str) -> list[Sample]:
    """The labelled images that were of this part when the model was trained."""
    contents = set(about.split.get(part, ()))
    return [sample for sample in samples.samples if sample.mask and sample.content in contents]


def _cases(samples: Samples, about: Description, images: int) -> tuple[list[Case], list[str]]:
    """Images to compare on, evenly spread over those there are; and what is to be said of them."""
    trained = set(about.split.get("train", ()))
    labelled = [sample for sample in samples.samples if sample.mask]
    unseen = [sample for sample in labelled if sample.content not in trained]
    chosen = _known(samples, about, "val") or unseen or labelled
    if not chosen:
        raise DataError(f"{samples.root} has no labelled image to compare on.")
    notes = [] if unseen else ["The model was trained on these images: their mean IoU says nothing of others."]
    return [Case(s.name, samples.image(s), samples.labels_of(s)) for s in _spread(chosen, images)], notes


def _spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    step = max(1.0, len(samples) / max(1, most))
    return [samples[int(n * step)] for n in range(min(len(samples), most))]


def _demand_same_classes(about: Description, samples: Samples) -> None:
    if about.labels.names != samples.labels.names:
        raise DataError(
            f"The model knows the classes {', '.join(about.labels.names)}; {samples.root} has "
            f"{', '.join(samples.labels.names)}. Name the classes alike in dataset.yaml, in the same order."
        )
