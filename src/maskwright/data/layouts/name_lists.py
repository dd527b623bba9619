"""Lists of names: `train.txt`, `valid.txt`, `test.txt` beside paired files, the name of one image a line."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from maskwright.data.layouts.pairing import SPLITS
from maskwright.data.layouts.registry import Pairs
from maskwright.data.names import relative
from maskwright.errors import DataError


def by_lists(root: Path, pairs: Pairs) -> Pairs:
    """The pairs, each in the part whose list names its image; as they are where no list does.

    An image is named with or without its ending and its folder. What is on no list is trained on; but if there is a
    list for training, too, it is left out.

    Raises:
        DataError: a list names images and something that is none, or two lists name the same image.
    """
    lists = [path for path in sorted(root.glob("*.txt")) if path.stem.lower() in SPLITS]
    if not lists:
        return pairs
    images = [*(entry.image for entry in pairs.entries), *pairs.images_alone]
    known: dict[str, set[Path]] = defaultdict(set)
    for image in images:
        inside = Path(relative(image, root))
        for text in (image.name, image.stem, inside.as_posix(), inside.with_suffix("").as_posix()):
            known[text].add(image)
    parts: dict[Path, tuple[str, str]] = {}
    used: dict[str, int] = {}
    for path in lists:
        split = SPLITS[path.stem.lower()]
        if not (named := _read(path, known)):
            continue
        for image in named:
            if (before := parts.setdefault(image, (split, path.name))) != (split, path.name):
                raise DataError(
                    f"{before[1]} and {path.name} in {root} both name {image.name}; an image belongs to one part. "
                    "Take it off one of the lists."
                )
        used[path.name] = len(named)
    return _parted(pairs, parts, used) if used else pairs


def _parted(pairs: Pairs, parts: Mapping[Path, tuple[str, str]], used: Mapping[str, int]) -> Pairs:
    complete = any(split == "train" for split, _ in parts.values())
    entries = tuple(
        replace(entry, split=parts[entry.image][0]) if entry.image in parts else entry
        for entry in pairs.entries
        if entry.image in parts or not complete
    )
    alone = tuple(image for image in pairs.images_alone if image in parts or not complete)
    reason = f"{pairs.reason}; " + ", ".join(f"{name} names {count}" for name, count in used.items())
    if left_out := len(pairs.entries) - len(entries):
        reason += f"; {left_out} images on no list are left out"
    return replace(pairs, entries=entries, images_alone=alone, reason=reason)


def _read(path: Path, known: Mapping[str, set[Path]]) -> list[Path]:
    """The images that a list names; none if it names none at all, and so is some other text."""
    lines = [line.strip() for line in path.read_text("utf-8-sig", errors="replace").splitlines()]
    named = {number: _meant(line, known) for number, line in enumerate(lines, start=1) if line}
    if not any(named.values()):
        return []
    for number, images in named.items():
        if len(images) != 1:
            what = f"{len(images)} images are" if images else "no image is"
            raise DataError(f"{path}, line {number}: {what} called {lines[number - 1]!r}. Correct the list.")
    return list(dict.fromkeys(image for images in named.values() for image in images))


def _meant(line: str, known: Mapping[str, set[Path]]) -> set[Path]:
    # As in lists of pairs, the author's own path may stand in front.
    steps = line.replace("\\", "/").removeprefix("./").split("/")
    texts = ("/".join(steps[start:]) for start in range(len(steps)))
    return next((known[text] for text in texts if text in known), set())
