"""Folders in folders: `case1/images` + `case1/masks`, `images/city` + `masks/city`, a folder a patient with
`image.png` and `mask.png`, and parts spelled in any way, `train_images` + `train_masks`.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.layouts.looking import tree
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.pairing import pair, unlabelled
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import meaning, told_by_name


@dataclass
class _Group:
    """The pictures of folders that are alike but for what their names say of images, masks and parts."""

    images: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    def settled(self) -> "_Group":
        """The same with nothing left open: what stands beside masks is images, else names tell."""
        if not self.others or self.images:
            return self
        if self.masks:
            return _Group(self.others, self.masks)
        masks = [path for path in self.others if told_by_name(path)[0] == "mask"]
        return _Group([path for path in self.others if told_by_name(path)[0] != "mask"], masks)


class Nested:
    """Pairs in several folders: what is left of two paths without the words for images, masks and parts is alike."""

    rank = 60

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if there are none, or all in one inner folder, which should be given itself."""
        entries: list[Entry] = []
        bare: list[tuple[str, _Group]] = []
        images_alone: list[Path] = []
        masks_alone: list[Path] = []
        for (split, inner), raw in _groups(root).items():
            group = raw.settled()
            if group.masks:
                found, lone_images, lone_masks = pair(group.images, group.masks, split)
                if inner and len(lone_images) == len(lone_masks) == 1 and not found:
                    found, lone_images, lone_masks = [Entry(lone_images[0], lone_masks[0], split)], [], []
                entries += found
                images_alone += lone_images
                masks_alone += lone_masks
            elif split and (raw.images or not inner):
                bare.append((split, group))
            else:
                images_alone += raw.images
        if not entries or _in_one_folder(root, entries):
            return None
        for split, group in bare:
            entries += unlabelled(group.images, split, entries)
        reason = "folders in folders: paths that are alike but for the words that mean images and masks are a pair"
        return by_lists(root, Pairs(tuple(entries), reason, tuple(images_alone), tuple(masks_alone)))


def _groups(root: Path) -> dict[tuple[str | None, tuple[str, ...]], _Group]:
    groups: dict[tuple[str | None, tuple[str, ...]], _Group] = defaultdict(_Group)
    for folder, files in tree(root):
        if not files or folder == root:
            continue
        role, split, inner = None, None, []
        for part in folder.relative_to(root).parts:
            said = meaning(part)
            if not said or (said.role and role and said.role != role):
                inner.append(part)
            role, split = role or said.role, split or said.split
        group = groups[split, tuple(inner)]
        (group.images if role == "image" else group.masks if role == "mask" else group.others).extend(files)
    return groups


def _in_one_folder(root: Path, entries: list[Entry]) -> bool:
    """Whether all lie in one folder whose name says nothing: then that is the data set."""
    first = {entry.image.relative_to(root).parts[0] for entry in entries}
    return len(first) == 1 and not meaning(next(iter(first)))


layouts.register("nested")(Nested())
