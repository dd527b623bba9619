"""Cityscapes as published: `leftImg8bit/train/aachen/X_leftImg8bit.png` with `gtFine/train/aachen/X_gtFine_….png`.

Cordts et al., "The Cityscapes dataset for semantic urban scene understanding", CVPR 2016; the table of ids is that of
https://github.com/mcordts/cityscapesScripts (labels.py).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from maskwright.data.layouts.looking import files_in, folders_in, told
from maskwright.data.layouts.pairing import splits_in
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.errors import MaskwrightError
from maskwright.files import read_mask
from maskwright.records import IGNORED

# In order of train id, 0 to 18, with the id.
IDS = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
_IMAGE_END = "_leftImg8bit"
_ANNOTATIONS = ("gtFine", "gtCoarse")
_KINDS = ("labelTrainIds", "labelIds")
_OBJECTS = "instanceIds"
"""Ids, of objects times 1000 and with a number: `instances: 1000` in dataset.yaml."""


class Cityscapes:
    """A folder a city in a folder a part; masks of train ids are taken before those of ids, and where it is stated that
    values number objects, those that do.
    """

    rank = 6

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if there is no `leftImg8bit` beside `gtFine` or `gtCoarse` with masks for it."""
        folders = {path.name: path for path in folders_in(root)}
        annotations = next((folders[name] for name in _ANNOTATIONS if name in folders), None)
        if annotations is None or "leftImg8bit" not in folders:
            return None
        masks = {path.name: path for _, path in _pictures(annotations)}
        images = list(_pictures(folders["leftImg8bit"]))
        numbered = not isinstance(told().instances, bool | str)
        kinds = (_OBJECTS,) if numbered else _KINDS
        ends = {kind: f"_{annotations.name}_{kind}.png" for kind in kinds}
        kind = next((kind for kind in kinds if any(name.endswith(ends[kind]) for name in masks)), None)
        if kind is None or not images:
            return None
        found = [(image, masks.get(image.stem.removesuffix(_IMAGE_END) + ends[kind]), split) for split, image in images]
        classes = {name: (value,) for name, value in (_train_ids() if kind == "labelTrainIds" else IDS).items()}
        blank = _blank([mask for _, mask, split in found if mask and split == "test"], {v for (v,) in classes.values()})
        entries = [
            Entry(image, None if split == "test" and blank else mask, split)
            for image, mask, split in found
            if mask or split == "test"
        ]
        if not any(entry.mask for entry in entries):
            return None
        reason = f"Cityscapes: leftImg8bit and {annotations.name}, masks {kind}"
        notes = ["19 classes are trained, as in the benchmark; all other ids are ignored"]
        if blank:
            notes.append("the masks of the test part show no class, as they are published: it has no labels")
        return Pairs(
            tuple(entries),
            reason,
            tuple(image for image, mask, split in found if not mask and split != "test"),
            classes=classes,
            ignored=_ignored(kind),
            marks=("leftImg8bit", annotations.name),
            notes=tuple(notes),
        )


def _train_ids() -> dict[str, int]:
    return {name: number for number, name in enumerate(IDS)}


def _ignored(kind: str) -> tuple[int, ...]:
    """Ids 0 to 33 that are not trained, and -1, which eight bits hold as 255."""
    if kind == "labelTrainIds":
        return (IGNORED,)
    return (*(number for number in range(34) if number not in IDS.values()), IGNORED)


def _pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    for split, part in splits_in(folder).items():
        for city in (part, *folders_in(part)):
            yield from ((split, path) for path in files_in(city))


def _blank(masks: list[Path], known: set[int], looked_at: int = 3) -> bool:
    """Whether the first of some masks show no class at all."""
    try:
        shown = [set(np.unique(read_mask(path).values).tolist()) & known for path in masks[:looked_at]]
    except MaskwrightError:
        return False
    return bool(shown) and not any(shown)


layouts.register("cityscapes")(Cityscapes())
