"""One folder of images beside one of masks, or both kinds in one folder told apart by name."""

from dataclasses import replace
from pathlib import Path

from maskwright.data.layouts.looking import files_in, folders_in
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.pairing import IMAGE_FOLDERS, MASK_FOLDERS, is_mask_name, pair, subfolder
from maskwright.data.layouts.registry import Pairs, layouts
from maskwright.data.layouts.words import told_by_name


class PairedFolders:
    """`images/` and `masks/`, or names that mean the same; `valid.txt` and the like may name each part's images."""

    rank = 30
    archives = True

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if one of the folders is missing or holds no picture."""
        images, masks = subfolder(root, IMAGE_FOLDERS), subfolder(root, MASK_FOLDERS)
        if images is None or masks is None:
            return None
        found = paired_folders(images, masks)
        if found is None:
            return None
        unused = [f"{path.name}/" for path in folders_in(root) if path not in (images, masks) and files_in(path)]
        if beside := [*unused, *(path.name for path in files_in(root))]:
            shown = ", ".join(beside[:3]) + (" …" if len(beside) > 3 else "")
            found = replace(found, reason=f"{found.reason}; left alone: {shown}")
        return by_lists(root, found)


class OneFolder:
    """Images and masks side by side: `NAME.jpg` with `NAME_mask.png`, `img_001` with `mask_001`, `a_img_1` with
    `a_mask_1`.
    """

    rank = 40
    archives = True

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if no file's name says that it is a mask of another."""
        for way, is_mask in (("end", is_mask_name), ("words", _has_mask_word)):
            files = files_in(root)
            masks = [path for path in files if is_mask(path)]
            entries, images_alone, masks_alone = pair([path for path in files if not is_mask(path)], masks)
            if entries:
                reason = f"one folder, masks told by the {way} of their names"
                return by_lists(root, Pairs(tuple(entries), reason, tuple(images_alone), tuple(masks_alone)))
        return None


def _has_mask_word(path: Path) -> bool:
    return told_by_name(path)[0] == "mask"


def paired_folders(images: Path, masks: Path) -> Pairs | None:
    """The pairs of a folder of images and a folder of masks; None if one of them holds no picture."""
    image_files, mask_files = files_in(images), files_in(masks)
    if not image_files or not mask_files:
        return None
    entries, images_alone, masks_alone = pair(image_files, mask_files)
    reason = f"folders {images.name} and {masks.name}, paired by name"
    return Pairs(tuple(entries), reason, tuple(images_alone), tuple(masks_alone))


layouts.register("paired_folders")(PairedFolders())
layouts.register("one_folder")(OneFolder())
