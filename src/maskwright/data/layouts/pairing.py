"""Which mask belongs to which image: equal names, once the usual words are taken off."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from maskwright.data.layouts.looking import files_in, folders_in, told
from maskwright.data.layouts.registry import Entry
from maskwright.data.layouts.words import (
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    SPLITS,
    band_of,
    image_key,
    in_order,
    is_mask_name,
    mask_key,
    stem_of,
    told_by_name,
)

__all__ = [
    "IMAGE_FOLDERS",
    "MASK_FOLDERS",
    "SPLITS",
    "image_key",
    "is_mask_name",
    "mask_key",
    "pair",
    "splits_in",
    "subfolder",
    "unlabelled",
]


def pair(
    images: Iterable[Path], masks: Iterable[Path], split: str | None = None
) -> tuple[list[Entry], list[Path], list[Path]]:
    """Entries, then the images and the masks that found no partner.

    Equal stems win; what is left is compared without the usual endings, then without such words wherever they stand,
    and last as images of a file a band. Of several masks that fit an image alike, one is its mask and the others are
    its rivals.
    """
    entries: list[Entry] = []
    left_images, left_masks = list(images), list(masks)
    for of_image, of_mask in _WAYS:
        if not left_images or not left_masks:
            break
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
    if left_images and left_masks:
        found, left_images, left_masks = _by_bands(left_images, left_masks, split)
        entries += found
    return entries, left_images, left_masks


def unlabelled(images: Iterable[Path], split: str | None, alike: Iterable[Entry] = ()) -> list[Entry]:
    """Images to predict on, of a file a band where those with masks are."""
    images = list(images)
    if not any(entry.bands for entry in alike):
        return [Entry(path, None, split) for path in images]
    groups, _ = _banded(images)
    return [Entry(files[0], None, split, bands=tuple(files[1:])) for files in groups.values()]


def _other_key(path: Path) -> str:
    return told_by_name(path)[1]


_WAYS: tuple[tuple[Callable[[Path], str], Callable[[Path], str]], ...] = (
    (stem_of, stem_of),
    (stem_of, mask_key),
    (image_key, mask_key),
    (stem_of, _other_key),
    (_other_key, _other_key),
)


def _by_bands(images: list[Path], masks: list[Path], split: str | None) -> tuple[list[Entry], list[Path], list[Path]]:
    by_key = {mask_key(mask): mask for mask in masks} | {stem_of(mask): mask for mask in masks}
    groups, rest = _banded(images)
    entries, used = [], set()
    for key, files in groups.items():
        if (mask := by_key.get(key)) is not None and mask not in used:
            entries.append(Entry(files[0], mask, split, bands=tuple(files[1:])))
            used.add(mask)
        else:
            rest += files
    return entries, rest, [mask for mask in masks if mask not in used]


def _banded(images: Iterable[Path]) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of each image in the order of their bands, and those that are no band of a whole image."""
    stated = told().bands
    groups: dict[str, dict[str, Path]] = {}
    rest = []
    for image in images:
        if (found := band_of(image, stated)) is None:
            rest.append(image)
        else:
            groups.setdefault(found[0], {})[found[1]] = image
    # An image that lacks a band has no channels like the others'.
    sets = Counter(frozenset(bands) for bands in groups.values())
    usual = frozenset(stated) if stated else sets.most_common(1)[0][0] if sets else frozenset()
    order = in_order(list(usual), stated)
    whole = {key: [bands[band] for band in order] for key, bands in groups.items() if usual == set(bands)}
    rest += [path for key, bands in groups.items() if key not in whole for path in bands.values()]
    if stated:  # other bands of the same images are not wanted
        rest = [path for path in rest if (found := band_of(path)) is None or found[0] not in whole]
    return whole, rest


def subfolder(root: Path, names: Iterable[str]) -> Path | None:
    """The folder's first child folder with one of these names, whatever their case; rather one with pictures in it."""
    children = {path.name.lower(): path for path in folders_in(root)}
    found = [children[name] for name in names if name in children]
    # Pascal VOC has Annotations/ full of XML beside SegmentationClass/.
    return next((folder for folder in found if files_in(folder) or splits_in(folder)), found[0] if found else None)


def splits_in(root: Path) -> dict[str, Path]:
    """Child folders that are called train, val, test or the like, by the split they stand for."""
    found: dict[str, Path] = {}
    for path in folders_in(root):
        if split := SPLITS.get(path.name.lower()):
            found.setdefault(split, path)
    return found
