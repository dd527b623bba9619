"""Stacks of slices: `train-volume.tif` with `train-labels.tif`, as ISBI-2012 and its kind are published."""

import re
from pathlib import Path

from maskwright.data.layouts.looking import files_in
from maskwright.data.layouts.pairing import SPLITS, is_mask_name, mask_key
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.files import STACK_SUFFIXES

_VOLUME = re.compile(r"[ ._-](volume|vol|stack)$", re.I)


class Stacks:
    """Volumes beside their labels, told by the end of their names. A test volume without labels is kept."""

    rank = 35

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs of stacks, or None if no volume has labels. What the pages are is seen when they are opened."""
        files = [path for path in files_in(root) if path.suffix.lower() in STACK_SUFFIXES]
        volumes = {_VOLUME.sub("", path.stem): path for path in files if _VOLUME.search(path.stem)}
        labels = {mask_key(path): path for path in files if is_mask_name(path)}
        if not volumes.keys() & labels.keys():
            return None
        entries, alone = [], []
        for key, volume in volumes.items():
            split = SPLITS.get(key.lower())
            if key in labels or split == "test":
                entries.append(Entry(volume, labels.get(key), split))
            else:
                alone.append(volume)
        masks_alone = tuple(path for key, path in labels.items() if key not in volumes)
        shown = ", ".join(f"{e.image.name} + {e.mask.name}" for e in entries if e.mask)
        return Pairs(tuple(entries), f"stacks {shown}, page by page", tuple(alone), masks_alone)


layouts.register("stacks")(Stacks())
