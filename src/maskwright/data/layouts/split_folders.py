"""Split folders: `train/images` + `train/masks`, `images/train` + `masks/train`, or `train` + `trainannot`."""

from collections.abc import Iterator
from pathlib import Path

from maskwright.data.layouts.pairing import IMAGE_FOLDERS, MASK_FOLDERS, pair, splits_in, subfolder
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.files import files_in, folders_in, has_files


class SplitFolders:
    """One pair of folders a split. A split without a masks folder is kept as images to predict on."""

    rank = 20
    archives = True

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs of all splits, or None if there is no split with masks."""
        entries: list[Entry] = []
        images_alone: list[Path] = []
        masks_alone: list[Path] = []
        places = []
        for split, images, masks in _places(root):
            if masks is None or not has_files(masks):
                entries += [Entry(path, None, split) for path in files_in(images)]
                continue
            found, lone_images, lone_masks = pair(files_in(images), files_in(masks), split)
            entries += found
            images_alone += lone_images
            masks_alone += lone_masks
            places.append(f"{images.relative_to(root)} + {masks.relative_to(root)}")
        if not places or not any(entry.mask for entry in entries):
            return None
        return Pairs(tuple(entries), f"split folders {', '.join(places)}", tuple(images_alone), tuple(masks_alone))


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
        elif has_files(folder):
            yield split, folder, _annotations_of(root, folder)


def _annotations_of(root: Path, folder: Path) -> Path | None:
    """The sibling that holds the masks of a folder: `trainannot`, `train_masks`, `train-labels` …"""
    for path in folders_in(root):
        rest = path.name.lower().removeprefix(folder.name.lower())
        if rest != path.name.lower() and rest.strip("_- .") in MASK_FOLDERS:
            return path
    return None


layouts.register("split_folders")(SplitFolders())
