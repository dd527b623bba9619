"""Shards: `train-0000.tar`, `train-0001.tar` …, whose members of equal key belong together: `000017.jpg`, `000017.png`.

This is the convention of WebDataset, https://github.com/webdataset/webdataset
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from maskwright.data.layouts.pairing import SPLITS, image_key, is_mask_name, mask_key, splits_in
from maskwright.data.layouts.registry import Entry, Pairs, layouts
from maskwright.errors import DataError
from maskwright.files import IMAGE_SUFFIXES, UNPACK, is_archive, members

_LOSSY: Final = {".jpg", ".jpeg", ".jpe", ".jfif", ".webp"}
_WHOLLY_COMPRESSED: Final = re.compile(r"\.(tar\.\w+|tgz)$", re.I)


class Shards:
    """Tar files in DATA or in its split folders, or DATA itself one; a shard's name may say its part: `val-0000.tar`.

    A key is what stands before the first dot of a name, with the folder it lies in. The mask is `KEY.mask.png`,
    `KEY.seg.png`, `KEY_mask.png` or the like; else, beside a JPEG or WebP, the only other picture of the key.
    """

    rank = 90  # images and masks that lie unpacked beside their archive are meant themselves
    archives = True

    def __call__(self, root: Path) -> Pairs | None:
        """The pairs, or None if there is no shard with a pair.

        Raises:
            ReadError: a shard is damaged.
            DataError: shards are compressed as a whole, or a key has several pictures of which one may be the mask.
        """
        places = list(_shards(root))
        entries: list[Entry] = []
        alone: tuple[list[Path], list[Path]] = ([], [])
        others: Counter[str] = Counter()
        for split, shard in places:
            for key, group in _groups(shard, others).items():
                _sort(key, group, split, entries, alone)
        if not any(entry.mask for entry in entries):
            _demand_uncompressed(root)
            return None
        names = ", ".join(shard.relative_to(root).as_posix() for _, shard in places[:3] if shard != root)
        reason = f"{len(places)} tar shards ({names}{' …' if len(places) > 3 else ''})" if names else f"tar {root.name}"
        reason += ", members of equal key belong together"
        if others:
            reason += "; left alone: " + ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
        return Pairs(tuple(entries), reason, tuple(alone[0]), tuple(alone[1]))


@dataclass
class _Group:
    """The pictures of one key."""

    images: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)


def _shards(root: Path) -> Iterator[tuple[str | None, Path]]:
    """Each shard with the part it belongs to, in the order of their names."""
    if is_archive(root):
        yield _part(root), root
        return
    for path in _tars(root):
        yield _part(path), path
    for split, folder in splits_in(root).items():
        yield from ((split, path) for path in _tars(folder))


def _tars(folder: Path) -> list[Path]:
    found = (path for path in folder.iterdir() if path.suffix.lower() == ".tar" and path.name[0] != ".")
    return sorted(path for path in found if path.is_file())


def _part(shard: Path) -> str | None:
    words = re.split(r"[^a-z]+", shard.stem.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def _groups(shard: Path, others: Counter[str]) -> dict[str, _Group]:
    """The pictures of a shard by key; what is no picture is counted by its ending."""
    pictures: list[PurePosixPath] = []
    groups: dict[str, _Group] = {}
    for name in members(shard):
        path = PurePosixPath(name)
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in IMAGE_SUFFIXES:
            pictures.append(path)
        else:
            others[path.suffix or path.name] += 1
    keys = {_key(path, image_key(Path(path.name))) for path in pictures}
    for path in pictures:
        # A name that only looks like a mask's is one if there is something that it masks: `eye_l.jpg` may be an image.
        masks_one = _key(path, mask_key(Path(path.name))) in keys
        is_mask = is_mask_name(Path(path.name)) and (masks_one or "." in path.stem)
        of_name = mask_key if is_mask else image_key
        group = groups.setdefault(_key(path, of_name(Path(path.name))), _Group())
        (group.masks if is_mask else group.images).append(shard / path)
    return groups


def _key(path: PurePosixPath, stem: str) -> str:
    return (path.parent / stem.split(".")[0]).as_posix()


def _sort(
    key: str, group: _Group, split: str | None, entries: list[Entry], alone: tuple[list[Path], list[Path]]
) -> None:
    """Put what is found under a key where it belongs."""
    images, masks = group.images, group.masks
    if not masks and len(images) == 2:
        lossy = [path for path in images if path.suffix.lower() in _LOSSY]
        if len(lossy) == 1:
            images, masks = lossy, [path for path in images if path not in lossy]
    if len(images) > 1:
        raise DataError(
            f"{images[0]} and {images[1]} have the same key {key!r}; one image a key was expected. Call the mask "
            f"{PurePosixPath(key).name}.mask.png, and pack other images under keys of their own."
        )
    if not images:
        alone[1].extend(masks)
    elif masks:
        entries.append(Entry(images[0], masks[0], split, tuple(masks[1:])))
    elif split == "test":
        entries.append(Entry(images[0], None, split))
    else:
        alone[0].append(images[0])


def _demand_uncompressed(root: Path) -> None:
    if root.is_dir() and (packed := sorted(p for p in root.iterdir() if _WHOLLY_COMPRESSED.search(p.name))):
        raise DataError(f"{packed[0]} is compressed as a whole, and nothing else was found in {root}. {UNPACK}")


layouts.register("shards")(Shards())
