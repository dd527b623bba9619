"""The raw data of nnU-Net: `imagesTr/NAME_0000.png`, `labelsTr/NAME.png`, `imagesTs/` and a `dataset.json`.

Isensee et al., "nnU-Net", Nature Methods 2021; https://github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwright.data.layouts.looking import files_in, folders_in
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import stem_of
from maskwright.errors import DataError

_CHANNEL = re.compile(r"_(\d{4})$")
_PARTS = (("imagesTr", "labelsTr", "train"), ("imagesTs", "labelsTs", "test"))
Classes = dict[str, tuple[int, ...]]


class NnUNet:
    """Cases of a file a channel, with label maps whose classes `dataset.json` names; the training part has no split."""

    rank = 7

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if there is no `imagesTr`, `labelsTr` or `dataset.json`.

        Raises:
            DataError: the file is no JSON, a case lacks a channel, or regions overlap in an order that is not stated.
        """
        folders = {path.name: path for path in folders_in(root)}
        about = root / "dataset.json"
        if not {"imagesTr", "labelsTr"} <= folders.keys() or not about.is_file():
            return None
        stated = _stated(about)
        channels = stated.get("channel_names") or stated.get("modality") or {}
        entries: list[Entry] = []
        images_alone: list[Path] = []
        masks_alone: list[Path] = []
        for of_images, of_labels, part in _PARTS:
            if of_images not in folders:
                continue
            labels = {stem_of(path): path for path in files_in(folders[of_labels])} if of_labels in folders else {}
            for case, files in _cases(files_in(folders[of_images]), len(channels), about).items():
                mask = labels.pop(case, None)
                if mask or part == "test":
                    split = "test" if part == "test" else None
                    entries.append(Entry(files[0], mask, split, bands=tuple(files[1:])))
                else:
                    images_alone += files
            masks_alone += labels.values()
        if not any(entry.mask for entry in entries):
            return None
        classes, ignored, said = classes_of(stated, about)
        names = ", ".join(str(name) for name in channels.values())
        return Pairs(
            tuple(entries),
            f"nnU-Net's raw data: imagesTr, labelsTr and dataset.json{f', channels {names}' if names else ''}",
            tuple(images_alone),
            tuple(masks_alone),
            classes=classes,
            ignored=ignored,
            marks=("dataset.json", "imagesTr", "labelsTr"),
            notes=said,
        )


def classes_of(stated: Mapping[str, Any], about: Path) -> tuple[Classes | None, tuple[int, ...], tuple[str, ...]]:
    """Name → values in order of value, the values that are ignored, and what to say of it; no names if none are stated.

    Of regions, which are lists of values, each value is of the last region that holds it, in `regions_class_order`:
    there the regions are painted one over the other.

    Raises:
        DataError: regions overlap and their order is not stated, or an entry is of no known form.
    """
    labels = stated.get("labels")
    if not labels:
        return None, (), ()
    if not isinstance(labels, dict):
        raise DataError(f"{about}: labels: is {labels!r}; a mapping of names and values was expected.")
    if all(str(key).isdigit() and isinstance(name, str) for key, name in labels.items()):
        labels = {name: int(value) for value, name in labels.items()}  # as the first version had it
    values: Classes = {str(name): _values(value, name, about) for name, value in labels.items()}
    ignored = tuple(values.pop("ignore", ()))
    said: tuple[str, ...] = ()
    if any(isinstance(value, list) and len(value) > 1 for value in labels.values()):
        values = _painted(values, stated.get("regions_class_order"), about)
        said = ("regions of dataset.json are read as the classes that remain when they are painted one over the other",)
    return dict(sorted(values.items(), key=lambda item: item[1])), ignored, said


def _painted(regions: Classes, order: object, about: Path) -> Classes:
    named = [name for name, values in regions.items() if values != (0,)]
    flat = [value for values in regions.values() for value in values]
    if len(flat) == len(set(flat)):
        return regions
    if not isinstance(order, list) or len(order) != len(named):
        raise DataError(
            f"{about}: regions share values, and regions_class_order does not say, with a value for each of the "
            f"{len(named)} regions, which is painted over which. Add it, or write each value under one name."
        )
    # A value belongs to the last region that holds it; a region of which nothing remains is no class.
    owner = {value: name for name in named for value in regions[name]}
    rest = {name: tuple(v for v in values if owner.get(v, name) == name) for name, values in regions.items()}
    return {name: values for name, values in rest.items() if values}


def _values(value: object, name: object, about: Path) -> tuple[int, ...]:
    found = tuple(value) if isinstance(value, list) else (value,)
    if not found or not all(isinstance(v, int) and not isinstance(v, bool) for v in found):
        raise DataError(
            f"{about}: the label {name!r} has the value {value!r}; a number or a list of numbers was expected."
        )
    return tuple(int(v) for v in found if isinstance(v, int))


def _cases(images: list[Path], channels: int, about: Path) -> dict[str, list[Path]]:
    """The files of each case in the order of their channels; without a channel's number a file is a case of its own."""
    cases: dict[str, dict[int, Path]] = {}
    for path in images:
        found = _CHANNEL.search(stem_of(path))
        case, number = (stem_of(path)[: found.start()], int(found[1])) if found else (stem_of(path), 0)
        cases.setdefault(case, {})[number] = path
    for case, files in cases.items():
        if channels and len(files) != channels and any(_CHANNEL.search(stem_of(path)) for path in files.values()):
            raise DataError(
                f"{about} names {channels} channels, but {case} in {images[0].parent} has {len(files)}: "
                f"{', '.join(files[number].name for number in sorted(files))}. Add the missing file, or correct "
                "channel_names."
            )
    return {case: [files[number] for number in sorted(files)] for case, files in cases.items()}


def _stated(about: Path) -> dict[str, Any]:
    try:
        stated = json.loads(about.read_text("utf-8-sig"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{about} is no JSON ({error}). Correct it or write it again.") from None
    if not isinstance(stated, dict):
        raise DataError(f"{about} holds no mapping of keys such as labels and channel_names. Write it again.")
    return stated


layouts.register("nnunet")(NnUNet())
