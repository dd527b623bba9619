"""Images and masks side by side under one name: `a.jpg` with `a.png`. Which is the mask is seen in the files."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from maskwright.data.layouts.evidence import looks_like_labels
from maskwright.data.layouts.looking import tree
from maskwright.data.layouts.name_lists import by_lists
from maskwright.data.layouts.pairing import stem_of
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.data.layouts.words import meaning

_LOSSY = {".jpg", ".jpeg"}
_LOOKED_AT = 5


class EqualStems:
    """`a.jpg` with `a.png`, in one folder or in one for each part; the masks have few values, the images many."""

    rank = 42

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if no two endings are told apart by what the files hold: both may be of images."""
        twins: dict[tuple[Path, str], list[Path]] = defaultdict(list)
        for folder, files in tree(root):
            if all(meaning(part).role is None for part in folder.relative_to(root).parts):
                for path in files:
                    twins[folder, stem_of(path)].append(path)
        pairs = [sorted(files) for files in twins.values() if len(files) == 2]
        of_masks = mask_suffix(pairs)
        if of_masks is None or 2 * len(pairs) < len(twins):
            return None
        entries, alone = [], []
        for (folder, _), files in twins.items():
            masks = [path for path in files if path.suffix.lower() == of_masks]
            images = [path for path in files if path not in masks]
            if len(images) == len(masks) == 1:
                entries.append(Entry(images[0], masks[0], _split(root, folder)))
            else:
                alone.append((images, masks))
        images_alone = tuple(path for images, _ in alone for path in images)
        masks_alone = tuple(path for _, masks in alone for path in masks)
        reason = f"images and masks under one name; the {of_masks} files are the masks, as they hold few values"
        return by_lists(root, Pairs(tuple(entries), reason, images_alone, masks_alone))


def mask_suffix(pairs: Sequence[Sequence[Path]]) -> str | None:
    """The ending of masks, where one of two endings is that of files that look like labels; of two that both do, the
    one that is not lossy. None where that is not so in each of a few that are looked at.
    """
    endings = {frozenset(path.suffix.lower() for path in files) for files in pairs}
    if len(endings) != 1 or len(one := sorted(next(iter(endings)))) != 2:
        return None
    step = max(1, len(pairs) // _LOOKED_AT)
    votes = set()
    for files in pairs[::step][:_LOOKED_AT]:
        like = {path.suffix.lower(): looks_like_labels(path) for path in files}
        if like[one[0]] != like[one[1]]:
            votes.add(one[0] if like[one[0]] else one[1])
        elif like[one[0]] and (lossless := [suffix for suffix in one if suffix not in _LOSSY]) and len(lossless) == 1:
            votes.add(lossless[0])
        else:
            return None
    return next(iter(votes)) if len(votes) == 1 else None


def _split(root: Path, folder: Path) -> str | None:
    return next((split for part in folder.relative_to(root).parts if (split := meaning(part).split)), None)


layouts.register("equal_stems")(EqualStems())
