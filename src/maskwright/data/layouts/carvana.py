"""The Carvana data set as published: `train/` or `train_hq/` beside `train_masks/NAME_mask.gif`.

https://www.kaggle.com/c/carvana-image-masking-challenge
"""

from pathlib import Path

from maskwright.data.layouts.looking import files_in, folders_in
from maskwright.data.layouts.pairing import pair
from maskwright.data.layouts.registry import Pairs, layouts


class Carvana:
    """Photographs of cars with GIF masks. Of `train_hq` and `train`, which show the same cars, the finer is taken."""

    rank = 15

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if there is no `train_masks` for a `train_hq`, or with GIFs for a `train`."""
        children = {path.name.lower(): path for path in folders_in(root)}
        masks = children.get("train_masks")
        images = children.get("train_hq", children.get("train"))
        if images is None or masks is None or {"val", "valid", "test_masks"} & children.keys():
            return None
        mask_files = files_in(masks)
        if "train_hq" not in children and not any(path.suffix.lower() == ".gif" for path in mask_files):
            return None
        entries, images_alone, masks_alone = pair(files_in(images), mask_files, "train")
        if not entries:
            return None
        reason = f"the Carvana data set: {images.name} and {masks.name}"
        # The contest's 100,064 test images would all be opened, and have no masks.
        rest = [children[name].name for name in ("train", "test", "test_hq") if name in children]
        if rest := [name for name in rest if name != images.name]:
            reason += f"; left alone: {', '.join(rest)}"
        return Pairs(tuple(entries), reason, tuple(images_alone), tuple(masks_alone), marks=(masks.name,))


layouts.register("carvana")(Carvana())
