"""Split folders: `train/images` + `train/masks`, `images/train` + `masks/train`, or `train` + `trainannot`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from maskwright.data.layouts.looking import files_in, folders_in
from maskwright.data.layouts.pairing import IMAGE_FOLDERS, MASK_FOLDERS, pair, splits_in, subfolder, unlabelled
from maskwright.data.layouts.registry import Entry, Pairs, layouts


class SplitFolders:
    """One pair of folders a split. A split without a masks folder is kept as images to predict on."""

    rank = 20

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs of all splits, or None if there is no split with masks."""
        return paired_splits(root, _places(root))


def paired_splits(root: Path, places: Iterable[tuple[str, Path, Path | None]]) -> Pairs | None:
    """The pairs of each split, given its name, its folder of images and that of masks; None if none has masks."""
    entries: list[Entry] = []
    bare: list[tuple[str, Path]] = []
    images_alone: list[Path] = []
    masks_alone: list[Path] = []
    shown = []
    for split, images, masks in places:
        if masks is None or not files_in(masks):
            bare.append((split, images))
            continue
        found, lone_images, lone_masks = pair(files_in(images), files_in(masks), split)
        entries += found
        images_alone += lone_images
        masks_alone += lone_masks
        shown.append(f"{images.relative_to(root)} + {masks.relative_to(root)}")
    if not entries:
        return None
    for split, images in bare:
        entries += unlabelled(files_in(images), split, entries)
    return Pairs(tuple(entries), f"split folders {', '.join(shown)}", tuple(images_alone), tuple(masks_alone))


def _places(root: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Each split with its images folder and its masks folder."""
    images, masks = subfolder(root, IMAGE_FOLDERS), subfolder(root, MASK_FOLDERS)
    if images and masks and splits_in(images):
        of_masks = splits_in(masks)
        yield from ((split, folder, of_masks.get(split)) for split, folder in splits_in(images).items())
        return
    for split, folder in splits_in(root).items():
        if inner := subfolder(folder, IMAGE_FOLDERS):
            yield split, inner, subfolder(folder, MASK_FOLDERS)
        elif files_in(folder):
            yield split, folder, _annotations_of(root, folder)


def _annotations_of(root: Path, folder: Path) -> Path | None:
    """The sibling that holds the masks of a folder: `trainannot`, `train_masks`, `train-labels` …"""
    for path in folders_in(root):
        rest = path.name.lower().removeprefix(folder.name.lower())
        if rest != path.name.lower() and rest.strip("_- .") in MASK_FOLDERS:
            return path
    return None


layouts.register("split_folders")(SplitFolders())
