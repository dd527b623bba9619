"""The folders of MMSegmentation and ADE20K: `img_dir/train` + `ann_dir/train`, `images/training` +
`annotations/training`.

https://mmsegmentation.readthedocs.io; Zhou et al., "Scene parsing through ADE20K dataset", CVPR 2017.
"""

from dataclasses import replace
from pathlib import Path

from maskwright.data.layouts.looking import folders_in
from maskwright.data.layouts.pairing import splits_in
from maskwright.data.layouts.registry import Pairs, layouts
from maskwright.data.layouts.split_folders import paired_splits

_FOLDERS = (("img_dir", "ann_dir"), ("images", "annotations"))


class MMSegmentation:
    """A folder a part in a folder of images and in one of annotations."""

    rank = 19

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if there are no such folders; `images` beside `annotations` must hold a `training`."""
        folders = {path.name: path for path in folders_in(root)}
        for images, annotations in _FOLDERS:
            if images not in folders or annotations not in folders:
                continue
            inside = {path.name for path in folders_in(folders[images])}
            if not inside & ({"train", "training"} if images == "img_dir" else {"training"}):
                continue
            places = [
                (split, folder, splits_in(folders[annotations]).get(split))
                for split, folder in splits_in(folders[images]).items()
            ]
            if found := paired_splits(root, places):
                note = (
                    "0 is taken for a class like any other; if it stands for what has no label (reduce_zero_label, as "
                    "in ADE20K), say ignore: [0] in dataset.yaml"
                )
                marks = (images, annotations)
                return replace(found, reason=f"MMSegmentation's {found.reason}", notes=(note,), marks=marks)
        return None


layouts.register("mmsegmentation")(MMSegmentation())
