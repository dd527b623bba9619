"""A folder an image, with a mask file for each of its objects: `ID/images/ID.png`, `ID/masks/*.png`.

So the 2018 Data Science Bowl is published; https://bbbc.broadinstitute.org/BBBC038
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maskwright.data.layouts.looking import files_in, folders_in
from maskwright.data.layouts.pairing import SPLITS, mask_key, subfolder
from maskwright.data.layouts.registry import Entry, Pairs, layouts

_IMAGES, _MASKS = ("images", "image"), ("masks", "mask")


class ObjectFiles:
    """Folders of one image each, in DATA itself or in folders such as `stage1_train` there."""

    rank = 50

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs of an image and its folder of masks, or None if no folder holds one image and masks of objects.

        An empty folder of masks is an image without objects. One without a folder of masks is kept to predict on if it
        is a test image, else it is alone.
        """
        found: list[tuple[str | None, _Case]] = [(None, case) for case in _cases(root)]
        if not found:
            found = [(_part(folder), case) for folder in folders_in(root) for case in _cases(folder)]
        if not any(case.masks for _, case in found) or all(case.is_plain for _, case in found):
            return None
        kept = [(split, case) for split, case in found if case.masks or split == "test"]
        entries = tuple(Entry(case.image, case.masks, split, source="object_files") for split, case in kept)
        alone = tuple(case.image for split, case in found if not case.masks and split != "test")
        reason = "a folder an image, one mask file an object; where objects overlap, the smaller one is seen"
        return Pairs(entries, reason, alone)


@dataclass(frozen=True)
class _Case:
    """A folder's only image and its folder of masks, if it has one."""

    image: Path
    masks: Path | None

    @property
    def is_plain(self) -> bool:
        """Whether the only mask is called as the image: it may as well be one mask of all there is."""
        files = files_in(self.masks) if self.masks else []
        return self.masks is None or (len(files) == 1 and mask_key(files[0]) == self.image.stem)


def _cases(root: Path) -> Iterator[_Case]:
    for folder in folders_in(root):
        if folder.name.lower() in SPLITS or (images := subfolder(folder, _IMAGES)) is None:
            continue
        if len(pictures := files_in(images)) == 1:
            yield _Case(pictures[0], subfolder(folder, _MASKS))


def _part(folder: Path) -> str | None:
    """The part that one of the words of a folder's name means: `stage1_train`."""
    return next((SPLITS[word] for word in folder.name.lower().split("_") if word in SPLITS), None)


layouts.register("object_files")(ObjectFiles())
