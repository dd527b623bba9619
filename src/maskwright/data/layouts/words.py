"""What folders and files are called: words that mean images, masks, parts, and the bands of an image."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["image", "mask"]


IMAGE_FOLDERS = (
    "images", "image", "imgs", "img", "inputs", "input", "jpegimages", "photos", "frames", "x", "img_dir", "rgb",
)  # fmt: skip
MASK_FOLDERS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt", "gts", "groundtruth",
    "ground_truth", "targets", "target", "segmentations", "segmentation", "segmentationclass", "trimaps", "y",
    "ann_dir", "msk", "msks", "seg", "segs", "label_images", "gt_images", "segmentation_masks", "label_masks",
)  # fmt: skip
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

_FILLERS = {"set", "data", "dataset", "split", "final", "stage1", "stage2"}
_MASK = r"masks?|gts?|labels?|seg|segmentation|annotations?|annot|groundtruth|ground_truth|target|trimap"
_IMAGE = r"images?|img|im|input|photo|orig|original"
_MASK_END = re.compile(rf"[ ._-]({_MASK}|l|p)$", re.I)
_IMAGE_END = re.compile(rf"[ ._-]({_IMAGE})$", re.I)
_PLACES = tuple(
    (role, re.compile(pattern, re.I))
    for form in ("^(?:{})(?:[ ._-]+|(?=[0-9])|$)", "[ ._-](?:{})(?=[ ._-])")
    for role, pattern in (("mask", form.format(_MASK)), ("image", form.format(_IMAGE)))
)

# Ends that part one image into files: channels by number, wavelength or colour, as microscopes, nnU-Net and satellites
# call them.
_BAND = re.compile(
    r"[ ._-](ch?\d{1,2}|channel[ ._-]?\d{1,2}|w\d|000\d|band[ ._-]?\d{1,2}|B\d{1,2}A?|red|green|blue|nir|swir\d?|"
    r"rededge\d?|pan|thermal|vv|vh|hh|hv)$",
    re.I,
)
_SPECTRUM = ("red", "green", "blue")


@dataclass(frozen=True)
class Meaning:
    """What a folder's name says; all None if it is a name like any other."""

    role: Role | None = None
    split: str | None = None

    def __bool__(self) -> bool:
        return bool(self.role or self.split)


def meaning(folder: str) -> Meaning:
    """What a folder's name says: `train_images`, `masksVal`, `trainannot`, `Training`, `ground_truth` …"""
    name = folder.lower()
    if (role := _role(name)) or name in SPLITS:
        return Meaning(role, SPLITS.get(name))
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", folder).lower()
    found = [_Word.of(word) for word in re.split(r"[ ._-]+", apart) if word and word not in _FILLERS]
    if len(found) == 1 and found[0] is None:
        found = _run_together(apart)
    if not found or None in found:
        return Meaning()
    words = [word for word in found if word]
    roles, splits = {w.role for w in words if w.role}, {w.split for w in words if w.split}
    if len(splits) > 1:
        return Meaning()
    # `gt_images` are masks that someone calls images.
    role = "mask" if "mask" in roles else "image" if roles else None
    return Meaning(role, next(iter(splits), None))


@dataclass(frozen=True)
class _Word:
    role: Role | None
    split: str | None

    @classmethod
    def of(cls, word: str) -> "_Word | None":
        role, split = _role(word), SPLITS.get(word)
        return cls(role, split) if role or split else None


def _run_together(name: str) -> list["_Word | None"]:
    for split in sorted(SPLITS, key=len, reverse=True):
        for rest in (name.removeprefix(split), name.removesuffix(split)):
            if rest != name and _role(rest):
                return [_Word(_role(rest), SPLITS[split])]
    return [None]


def _role(word: str) -> Role | None:
    return "image" if word in IMAGE_FOLDERS else "mask" if word in MASK_FOLDERS else None


def stem_of(path: Path) -> str:
    """The file's name without its ending."""
    return os.path.splitext(path.name)[0]  # noqa: PTH122 - five times as fast as the stem of a Path


def is_mask_name(path: Path) -> bool:
    """Whether the name itself says that the file is a mask: `NAME_mask.png`, `NAME_L.png`, `NAME-gt.tif` …"""
    return bool(_MASK_END.search(stem_of(path)))


def image_key(path: Path) -> str:
    """The part of an image's name that its mask shares."""
    return _IMAGE_END.sub("", stem_of(path))


def mask_key(path: Path) -> str:
    """The part of a mask's name that its image shares."""
    return _MASK_END.sub("", stem_of(path))


def told_by_name(path: Path) -> tuple[Role | None, str]:
    """What the name says the file is, and the rest of the name: the word may stand at the end, at the start or inside
    (`case_mask_01`), or be all of it.
    """
    stem = stem_of(path)
    for role, pattern in (("mask", _MASK_END), ("image", _IMAGE_END), *_PLACES):
        if pattern.search(stem):
            return ("mask" if role == "mask" else "image"), pattern.sub("", stem, count=1)
    return None, stem


def band_of(path: Path, stated: Sequence[str] = ()) -> tuple[str, str] | None:
    """The name without its band, and the band: `("scene", "_B04")`; None if it has none of the stated or usual ones."""
    stem = stem_of(path)
    if stated:
        ends = sorted((end for end in stated if stem.endswith(end)), key=len, reverse=True)
        return (stem[: -len(ends[0])], ends[0]) if ends else None
    found = _BAND.search(stem)
    return (stem[: found.start()], found[0]) if found and found.start() else None


def in_order(bands: Sequence[str], stated: Sequence[str] = ()) -> list[str]:
    """Bands as stated, else red, green and blue first, the rest by number."""
    if stated:
        return [band for band in stated if band in bands]

    def place(band: str) -> tuple[int, list[tuple[int, str]]]:
        word = band.lstrip(" ._-").lower()
        colour = _SPECTRUM.index(word) if word in _SPECTRUM else len(_SPECTRUM)
        return colour, [(int(n or 0), text) for n, text in re.findall(r"(\d*)(\D*)", word)]

    return sorted(bands, key=place)
