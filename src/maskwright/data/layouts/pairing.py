"""Which mask belongs to which image: equal names, once the usual endings are taken off."""

import re
from collections.abc import Iterable
from pathlib import Path

from maskwright.data.layouts.registry import Entry
from maskwright.files import folders_in, has_files, is_folder

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "inputs", "input", "jpegimages", "photos", "frames", "x")
MASK_FOLDERS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt", "gts", "groundtruth",
    "ground_truth", "targets", "target", "segmentations", "segmentation", "segmentationclass", "trimaps", "y",
)  # fmt: skip
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

_MASK_END = re.compile(
    r"[ ._-](masks?|gts?|labels?|seg|segmentation|annotations?|annot|groundtruth|ground_truth|target|trimap|l|p)$", re.I
)
_IMAGE_END = re.compile(r"[ ._-](images?|img|im|input|photo|orig|original)$", re.I)


def is_mask_name(path: Path) -> bool:
    """Whether the name itself says that the file is a mask: `NAME_mask.png`, `NAME_L.png`, `NAME-gt.tif` …"""
    return bool(_MASK_END.search(path.stem))


def image_key(path: Path) -> str:
    """The part of an image's name that its mask shares."""
    return _IMAGE_END.sub("", path.stem)


def mask_key(path: Path) -> str:
    """The part of a mask's name that its image shares."""
    return _MASK_END.sub("", path.stem)


def pair(
    images: Iterable[Path], masks: Iterable[Path], split: str | None = None
) -> tuple[list[Entry], list[Path], list[Path]]:
    """Entries, then the images and the masks that found no partner.

    Equal stems win; what is left is compared without the usual endings. Of several masks that fit an image alike, one
    is its mask and the others are its rivals.
    """
    entries = []
    left_images, left_masks = list(images), list(masks)
    for of_image, of_mask in ((_stem, _stem), (_stem, mask_key), (image_key, mask_key)):
        by_key: dict[str, list[Path]] = {}
        for mask in left_masks:
            by_key.setdefault(of_mask(mask), []).append(mask)
        waiting: list[Path] = []
        for image in left_images:
            if (key := of_image(image)) in by_key:
                mask, *rivals = by_key.pop(key)
                entries.append(Entry(image, mask, split, tuple(rivals)))
            else:
                waiting.append(image)
        left_images, left_masks = waiting, [mask for masks in by_key.values() for mask in masks]
    return entries, left_images, left_masks


def subfolder(root: Path, names: Iterable[str]) -> Path | None:
    """The folder's first child folder with one of these names, whatever their case; rather one with pictures in it."""
    if not is_folder(root):
        return None
    children = {path.name.lower(): path for path in folders_in(root)}
    found = [children[name] for name in names if name in children]
    # Pascal VOC has Annotations/ full of XML beside SegmentationClass/.
    return next((folder for folder in found if has_files(folder) or splits_in(folder)), found[0] if found else None)


def splits_in(root: Path) -> dict[str, Path]:
    """Child folders that are called train, val, test or the like, by the split they stand for."""
    found: dict[str, Path] = {}
    for path in folders_in(root) if is_folder(root) else []:
        if split := SPLITS.get(path.name.lower()):
            found.setdefault(split, path)
    return found


def _stem(path: Path) -> str:
    return path.stem
